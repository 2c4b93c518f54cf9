"""Demos of diffusion and flow matching: noise becomes data in small steps."""

ORDER = (
    "noise_to_moons", "where_bits_go", "target_by_noise", "steps_and_quality", "guidance_strength",
)  # fmt: skip
