"""Demos of autoencoders: compression, latent codes and what they are good for."""
