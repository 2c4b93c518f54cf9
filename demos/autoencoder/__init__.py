"""Demos of autoencoders: compression, latent codes and their uses."""

ORDER = ("compress", "latent", "encoder_only")
