"""Demos of models of text: attention and n-grams compared, and gradients in recurrent nets, translation."""

ORDER = ("characters", "gradient_through_time", "translate_dates")
