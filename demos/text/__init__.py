"""Demos of models of text: attention and n-grams compared, and gradients in recurrent nets."""

ORDER = ("characters", "gradients_in_time")
