"""Demos of generative adversarial networks: on a line, where densities are known, and on digits."""
