"""Demos of diffusion and flow matching: noise becomes data in small steps."""

ORDER = (
    "one_jump",
    "noise_to_moons",
    "exact_field",
    "langevin_and_score",
    "straight_paths",
    "noise_and_back",
    "where_bits_go",
    "target_by_noise",
    "steps_and_quality",
    "guidance_strength",
    "guided_by_classifier",
    "planted_mistakes",
)
