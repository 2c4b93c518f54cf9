"""Demos of models of text: a mixture of a GRU and an n-gram, gradients in recurrent nets, and translation."""

ORDER = ("characters", "gradients_in_time", "translate_dates")
