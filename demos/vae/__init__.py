"""Demos of variational autoencoders: the prior, the posterior, the gradient and the latent code."""
