"""Demos of variational autoencoders: prior, posterior, gradients and latent codes."""

ORDER = (
    "transformation",
    "prior_code",
    "standardised",
    "reparameterisation",
    "tug_of_war",
    "three_autoencoders",
    "latent_grid",
    "latent_usage",
    "conditional",
)
