"""Measure a MADE with several orderings: dependencies, averages of probabilities and of logits."""

from __future__ import annotations

import numpy as np

from scratchgen.distributions import Bernoulli
from scratchgen.models import MADE


def dependencies(model: MADE, rng: np.random.Generator) -> np.ndarray:
    """Whether logit d has a nonzero gradient in pixel e for any of 300 inputs, (D, D)."""
    size = model.features
    found, upstream = np.zeros((size, size), bool), np.eye(size, dtype=np.float32)
    for x in rng.standard_normal((300, size), np.float32):
        _, cache = model.logits(np.tile(x, (size, 1)))
        found |= model.net.backward(upstream, cache) != 0
    return found


def each_ordering(model: MADE, x: np.ndarray) -> np.ndarray:
    """log p(x) under each ordering alone, (O, N)."""
    logits = (model.logits(x, ordering=o)[0] for o in range(len(model.orders)))
    return np.array([Bernoulli.log_prob(x, some).sum(axis=1, dtype=np.float64) for some in logits])


def averaged(log_p: np.ndarray) -> np.ndarray:
    """The log of the mean probability, (O, N) -> (N,)."""
    return np.logaddexp.reduce(log_p, axis=0) - np.log(len(log_p))


def averaged_logits(model: MADE, x: np.ndarray) -> np.ndarray:
    """The result of using the mean of the orderings' logits, (N,), which is not a log-density."""
    mean = np.mean([model.logits(x, ordering=o)[0] for o in range(len(model.orders))], axis=0)
    return Bernoulli.log_prob(x, mean).sum(axis=1, dtype=np.float64)
