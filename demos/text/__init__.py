"""Demos of models of text: attention and n-grams, gradients in recurrent nets, and translation."""

ORDER = ("characters", "gradients_in_time", "translate_dates")
