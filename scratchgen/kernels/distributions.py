"""Twins of distributions.py: log-densities summed over features, without an array of all terms."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp, log1p, row_sum
from scratchgen.kernels.shapes import expects


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
