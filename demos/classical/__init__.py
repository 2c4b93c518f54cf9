"""Demos that compare discriminative and generative classifiers."""

ORDER = ("two_views", "bayes_bridge", "crossing", "only_generative")
