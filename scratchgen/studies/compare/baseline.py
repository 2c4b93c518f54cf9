"""What the pixels alone are worth: a model without a code, in which each goes its own way."""

from __future__ import annotations

import numpy as np

from scratchgen.distributions import Bernoulli, Normal

SMOOTHINGS = 10.0 ** np.arange(-6, 0, 0.5)
NAMES = {True: "no code: a coin for each pixel", False: "no code: a Normal for each pixel"}


def independent_pixels(
    train: np.ndarray, held_out: np.ndarray, test: np.ndarray, *, discrete: bool
) -> np.ndarray:
    """log p(x) in nats of each test example, (N,), with (NB.1), as if all were of one class.

    Coins by (NB.2) with a smoothing of 1, Normals by (NB.5) with the smoothing that suits `held_out` best.
    Raises ValueError for Normals where no pixel varies.
    """
    train, held_out, test = (x.astype(np.float64) for x in (train, held_out, test))
    if discrete:
        theta = (train.sum(axis=0) + 1) / (len(train) + 2)
        return Bernoulli.log_prob(test, np.log(theta) - np.log1p(-theta)).sum(axis=1)
    mean, variance = train.mean(axis=0), train.var(axis=0)
    if not variance.max() > 0:
        raise ValueError("independent_pixels expected pixels that vary, got none that does")

    def log_prob(x: np.ndarray, smoothing: float) -> np.ndarray:
        return Normal.log_prob(x, mean, np.log(variance + smoothing * variance.max())).sum(axis=1)

    best = max(SMOOTHINGS, key=lambda smoothing: log_prob(held_out, smoothing).mean())
    return log_prob(test, best)
