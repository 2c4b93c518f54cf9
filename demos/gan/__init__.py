"""Demos of generative adversarial networks: on a line, where densities are known, and on digits."""

ORDER = (
    "four_panels",
    "cross_entropy_jsd",
    "saturation",
    "phases",
    "balance",
    "handwritten_digits",
    "ugly_or_missing",
    "directions",
    "one_pixel",
    "told_what_to_draw",
)
