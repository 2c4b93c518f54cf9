"""Log-densities in other units."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.checks import expect_examples


def bits_per_dim(log_density: np.ndarray, features: int, levels: int | None = 256) -> np.ndarray:
    """Bits per feature, (N,), for log-densities of examples in nats, (N,). Lower is better.

    (DEQ.2)  bits = (D·log levels − log p(y)) / (D·log 2),  y = dequantise(x) in [0, 1]

    (DEQ.3)  log P(x) ≥ E[log p(y)] − D·log levels,  so on average at least −log₂ P(x) / D bits

    P(x) is the probability that y is in the cell of the grey levels x. A uniform density needs 8 bits for 256
    levels. With levels=None features are continuous, and the result is −log p(y) / (D·log 2).
    """
    expect_examples("bits_per_dim", np.asarray(log_density)[:, None])
    if features < 1:
        raise ValueError(f"bits_per_dim expected features of at least 1, got {features}")
    offset = 0.0 if levels is None else features * math.log(levels)
    return (offset - np.asarray(log_density)) / (features * math.log(2))    # (DEQ.2, DEQ.3)
