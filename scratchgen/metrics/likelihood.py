"""Log-densities in bits per dimension."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.checks import expect_count, expect_examples, expect_float


def bits_per_dim(log_density: np.ndarray, features: int, levels: int | None = 256) -> np.ndarray:
    """Convert log-densities of whole examples in nats, (N,), to bits per dimension, (N,). Lower is better.

    (DEQ.2)  bits = (D·log levels − log p(y)) / (D·log 2),  y = dequantise(x) in [0, 1]

    (DEQ.3)  log P(x) ≥ E[log p(y)] − D·log levels,  so on average the bits are at least −log₂ P(x) / D

    P(x) is the probability that y falls into the cell of the pixel values x. A uniform density costs 8 bits
    for 256 levels. With levels=None the features are continuous, and the result is −log p(y) / (D·log 2).

    Raises ValueError for features < 1 and for log-densities that are not finite.
    """
    expect_float("bits_per_dim", log_density)
    if log_density.ndim != 1:
        raise ValueError(f"bits_per_dim expected log-densities (N,), got shape {log_density.shape}")
    expect_examples("bits_per_dim", log_density[:, None])
    expect_count("bits_per_dim", "features", features)
    if levels is not None:
        expect_count("bits_per_dim", "levels", levels, least=2)
    offset = 0.0 if levels is None else features * math.log(levels)
    return (offset - log_density.astype(np.float64)) / (features * math.log(2))    # (DEQ.2, DEQ.3)
