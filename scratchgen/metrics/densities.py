"""Kernel density estimation (Parzen windows) on samples, and the choice of the kernel width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.distributions import LOG_2PI
from scratchgen.metrics.pairwise import squared_distances, unit_of

SIGMAS = tuple(np.geomspace(0.08, 0.4, 25))     # for pixels in [0, 1]


def parzen_log_likelihood(X: np.ndarray, samples: np.ndarray, sigma: float) -> np.ndarray:
    """log p(x) in nats, with a Normal kernel of width σ on each sample: X (N, D), samples (M, D) -> (N,).

        log p(x) = log 1/M·Σ_m exp(−‖x − s_m‖² / 2σ²) − D/2·log(2πσ²)

    Higher is better. It is the log-density of continuous pixels, so it can be above 0. Goodfellow et al. 2014
    (section 5) evaluate a GAN with this measure on 10,000 samples, following Breuleux et al. 2011. In many
    dimensions it says little about a model: Theis et al. 2016 show that k-means centroids get higher values
    than true samples.

    Raises ValueError for sigma ≤ 0, and if samples and X have different numbers of features.
    """
    _expect("parzen_log_likelihood", X, samples, [sigma], "sigma")
    result, unit = np.empty(len(X)), unit_of(X, samples)
    for rows, squared in squared_distances(X, samples, unit):
        result[rows] = _log_density(squared, sigma, X.shape[1], unit)
    return result


def choose_sigma(X: np.ndarray, samples: np.ndarray, sigmas: Sequence[float] = SIGMAS) -> float:
    """Return the σ in `sigmas` for which the validation examples X have the highest likelihood.

    X (N, D), samples (M, D). X should be used neither for training nor for the evaluation itself. The
    distances are computed once for all of `sigmas`. Raises ValueError for a σ that is not finite and > 0.
    """
    _expect("choose_sigma", X, samples, sigmas, "sigmas")
    totals, unit = np.zeros(len(sigmas)), unit_of(X, samples)
    for _, squared in squared_distances(X, samples, unit):
        totals += [_log_density(squared, sigma, X.shape[1], unit).sum() for sigma in sigmas]
    return float(sigmas[int(totals.argmax())])


def _log_density(squared: np.ndarray, sigma: float, dimensions: int, unit: float) -> np.ndarray:
    """One block of log p, (B,), from squared distances (B, M) in unit², by a log-sum-exp."""
    with np.errstate(over="ignore", invalid="ignore"):          # infinite: too far away to be representable
        scaled = 0.5 * squared * (unit / sigma) * (unit / sigma)
        nearest = scaled.min(axis=1, keepdims=True)
        gap = np.where(scaled > nearest, nearest - scaled, 0)
    terms = np.exp(gap)                                         # the largest is 1
    log_mean = np.log(terms.mean(axis=1)) - nearest[:, 0]
    return log_mean - dimensions * (0.5 * LOG_2PI + math.log(sigma))


def _expect(who: str, X: np.ndarray, samples: np.ndarray, sigmas: Sequence[float], name: str) -> None:
    expect_examples(who, X)
    expect_examples(who, samples, features=X.shape[1])
    several = isinstance(sigmas, Sequence | np.ndarray) and not isinstance(sigmas, str)
    if not several or any(isinstance(s, bool) or not isinstance(s, Real) for s in sigmas):
        raise TypeError(f"{who} expected {name} to be a number or numbers > 0, got {sigmas!r}")
    if len(sigmas) == 0 or not all(0 < sigma < math.inf for sigma in sigmas):
        raise ValueError(f"{who} expected finite {name} > 0, got {list(sigmas)}")
