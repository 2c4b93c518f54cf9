"""Demos of diffusion and flow matching: noise becomes data in small steps."""

ORDER = ("noise_to_moons", "noise_and_back")
