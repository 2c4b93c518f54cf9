"""What the tests of MADE share: all vectors of ten pixels, and a small net whose weights matter."""

import numpy as np

from scratchgen.models import MADE

EVERY = ((np.arange(1024)[:, None] >> np.arange(10)) & 1).astype(np.float64)     # all 2¹⁰ vectors


def made(rng, features=10, **settings):
    """A small MADE whose weights are large enough to matter."""
    model = MADE(features, **({"hidden": (23,)} | settings), rng=rng, dtype=np.float64)
    for p in model.parameters().values():
        p.value += 0.7 * rng.standard_normal(p.shape)
    return model
