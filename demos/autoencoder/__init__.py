"""Demos of autoencoders: compression, latent codes and their uses."""
