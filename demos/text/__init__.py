"""Demos of models of text: a comparison of attention and n-grams."""

ORDER = ("characters",)
