"""Demos that compare discriminative and generative classifiers."""
