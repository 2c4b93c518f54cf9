"""Demos of diffusion and flow matching: noise becomes data in small steps."""

ORDER = ("noise_to_moons", "langevin_and_score", "bayes_bridge_guidance")
