"""Demos of variational autoencoders: prior, posterior, gradients and latent codes."""
