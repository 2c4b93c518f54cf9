"""One short script per claim, in a folder for each family of models.

ORDER is the reading order; `scratchgen demo --list` prints it, and `scratchgen demo NAME` runs one demo.
"""

ORDER = {
    "autoencoder": ("compress", "latent", "encoder_only"),
    "vae": (
        "transformation", "prior_code", "standardised", "reparameterisation", "tug_of_war",
        "three_autoencoders", "latent_grid", "latent_usage", "conditional",
    ),
    "gan": (
        "four_panels", "cross_entropy_jsd", "saturation", "phases", "balance",
        "handwritten_digits", "directions", "one_pixel",
    ),
    "flow": ("change_of_variables", "one_to_one", "exact_likelihood"),
    "autoregressive": ("one_factor_at_a_time", "ordering_and_masks"),
    "text": ("characters",),
    "classical": ("two_views", "bayes_bridge", "crossing", "only_generative"),
    "speed": ("gemm",),
}  # fmt: skip
