"""Log-densities in bits per dimension."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.checks import expect_examples


def bits_per_dim(log_density: np.ndarray, features: int, levels: int | None = 256) -> np.ndarray:
    """Convert log-densities of whole examples in nats, (N,), to bits per dimension, (N,). Lower is better.

    (DEQ.2)  bits = (D·log levels − log p(y)) / (D·log 2),  y = dequantise(x) in [0, 1]

    (DEQ.3)  log P(x) ≥ E[log p(y)] − D·log levels,  so on average the bits are at least −log₂ P(x) / D

    P(x) is the probability that y falls into the cell of the pixel values x. A uniform density costs 8 bits
    for 256 levels. With levels=None the features are continuous, and the result is −log p(y) / (D·log 2).

    Raises ValueError for features < 1 and for log-densities that are not finite.
    """
    log_density = np.asarray(log_density)
    expect_examples("bits_per_dim", log_density[:, None])
    if features < 1:
        raise ValueError(f"bits_per_dim expected features >= 1, got {features}")
    offset = 0.0 if levels is None else features * math.log(levels)
    return (offset - log_density.astype(np.float64)) / (features * math.log(2))    # (DEQ.2, DEQ.3)
