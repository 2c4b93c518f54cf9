"""Twins of distributions.py: log-densities summed over features, without an array of all terms."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp, log1p, row_sum
from scratchgen.kernels.shapes import expects

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@expects(x="b d", logits="b k d")
def bernoulli_log_prob(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    out = np.empty(logits.shape[:2], logits.dtype)
    _bernoulli_log_prob(np.ascontiguousarray(x), np.ascontiguousarray(logits), out)
    return out


# Without "reassoc", which would lose nearly certain pixels, as in kernels/losses.py.
@kernel("contract")
def _bernoulli_log_prob(x, logits, out):
    zero = logits.dtype.type(0)
    terms = np.empty(logits.shape[2], logits.dtype)
    for b in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            for d in range(logits.shape[2]):
                value = logits[b, k, d]
                terms[d] = (value * x[b, d] - max(value, zero)) - log1p(exp(-abs(value)))
            out[b, k] = row_sum(terms)


@expects(low="...", high="...")
def normal_log_interval(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    low, high = np.ascontiguousarray(low), np.ascontiguousarray(high)
    out = np.empty(low.shape, low.dtype)
    _normal_log_interval(low.reshape(-1), high.reshape(-1), out.reshape(-1))
    return out


@kernel("contract")
def _normal_log_cdf(x):
    if x == -np.inf:
        return -np.inf
    if x > 0:
        return math.log1p(-0.5 * math.erfc(x / math.sqrt(2.0)))
    if x >= -35.0:
        return math.log(0.5 * math.erfc(-x / math.sqrt(2.0)))
    inverse = 1.0 / (x * x)
    series = 1.0 - inverse * (1.0 - inverse * (3.0 - inverse * (15.0 - 105.0 * inverse)))
    return -0.5 * x * x - math.log(-x) - HALF_LOG_2PI + math.log(series)


@kernel("contract")
def _normal_log_interval(low, high, out):
    for i in range(low.size):
        a, b = np.float64(low[i]), np.float64(high[i])
        if a > 0:
            a, b = -b, -a
        log_a, log_b = _normal_log_cdf(a), _normal_log_cdf(b)
        gap = log_a - log_b if log_a > -np.inf else -np.inf
        out[i] = log_b + math.log(-math.expm1(gap))
