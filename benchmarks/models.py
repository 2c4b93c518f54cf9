"""What is measured: each model as plain numbers, from which every contender builds the same net."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

AUTOENCODER = (784, 400, 20, 400, 784)  # SiLU between the layers but not at the code, a sigmoid at the end
CODE = 2  # the layer whose output is the code


def weights(dtype: str, seed: int = 0) -> list[np.ndarray]:
    """Glorot-uniform weights (in, out) and zero biases, in turn."""
    rng = np.random.default_rng(seed)
    arrays = []
    for fan_in, fan_out in pairwise(AUTOENCODER):
        limit = np.sqrt(6 / (fan_in + fan_out))
        arrays += [rng.uniform(-limit, limit, (fan_in, fan_out)).astype(dtype), np.zeros(fan_out, dtype)]
    return arrays


def batches(batch: int, dtype: str, count: int = 8, seed: int = 1) -> list[np.ndarray]:
    """Images in [0, 1], about a fifth of them ink, as digits have."""
    rng = np.random.default_rng(seed)
    shape = (count, batch, AUTOENCODER[0])
    images = rng.uniform(size=shape) * (rng.uniform(size=shape) < 0.2)
    return list(images.astype(dtype))
