"""The baseline of the comparison, in which all pixels are independent."""

from __future__ import annotations

import numpy as np

from scratchgen.distributions import Bernoulli, Normal

SMOOTHINGS = 10.0 ** np.arange(-6, 0, 0.5)
NAMES = {True: "independent Bernoulli pixels", False: "independent Normal pixels"}


def independent_pixels(
    train: np.ndarray, held_out: np.ndarray, test: np.ndarray, *, discrete: bool
) -> np.ndarray:
    """log p(x) in nats of each test example, (N,), with (NB.1) for a single class.

    discrete : True for Bernoulli pixels by (NB.2) with a smoothing of 1; False for Normal pixels by (NB.5)
        with the smoothing that maximises the likelihood of `held_out`

    Raises ValueError for Normal pixels if all pixels are constant.
    """
    train, held_out, test = (x.astype(np.float64) for x in (train, held_out, test))
    if discrete:
        theta = (train.sum(axis=0) + 1) / (len(train) + 2)
        return Bernoulli.log_prob(test, np.log(theta) - np.log1p(-theta)).sum(axis=1)
    mean, variance = train.mean(axis=0), train.var(axis=0)
    if not variance.max() > 0:
        raise ValueError("independent_pixels expected at least one pixel that varies, got constant pixels")

    def log_prob(x: np.ndarray, smoothing: float) -> np.ndarray:
        return Normal.log_prob(x, mean, np.log(variance + smoothing * variance.max())).sum(axis=1)

    best = max(SMOOTHINGS, key=lambda smoothing: log_prob(held_out, smoothing).mean())
    return log_prob(test, best)
