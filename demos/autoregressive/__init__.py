"""Demos of autoregressive models: dependencies, completions and orderings of pixels."""

ORDER = ("one_factor_at_a_time", "ordering_and_masks")
