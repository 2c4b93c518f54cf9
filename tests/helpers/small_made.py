"""Helpers of the MADE tests: all vectors of ten pixels, and a small net with large weights."""

import numpy as np

from scratchgen.models import MADE

EVERY = ((np.arange(1024)[:, None] >> np.arange(10)) & 1).astype(np.float64)     # all 2¹⁰ vectors


def made(rng, features=10, **settings):
    """A small MADE with weights that are large enough to affect its probabilities."""
    model = MADE(features, **({"hidden": (23,)} | settings), rng=rng, dtype=np.float64)
    for p in model.parameters().values():
        p.value += 0.7 * rng.standard_normal(p.shape)
    return model
