"""Demos of generative adversarial networks: on a line, where all is known, and on digits."""
