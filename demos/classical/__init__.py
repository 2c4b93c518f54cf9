"""Demos of discriminative against generative classifiers."""
