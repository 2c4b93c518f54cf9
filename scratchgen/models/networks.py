"""The networks that models are usually made of: dense of any sizes, convolutional for 28×28 digits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.layers import (
    Activation,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    Linear,
    Reshape,
    Sequential,
    SiLU,
)


def dense(
    sizes: Sequence[int],
    *,
    rng: np.random.Generator,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """Linear layers from size to size, with an activation between any two of them; the last is linear.

    Raises ValueError for fewer than two sizes, or one below 1.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"a dense network expected two or more sizes of at least 1, got {tuple(sizes)}")
    layers: list[Layer] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [Linear(fan_in, fan_out, rng=rng, dtype=dtype), activation()]
    return Sequential(*layers[:-1])


def conv_encoder(
    features: int,
    channels: tuple[int, int] = (16, 32),
    *,
    rng: np.random.Generator,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """Two 4×4 convolutions of stride 2: 784 → 28×28×1 → 14×14×C1 → 7×7×C2 → features."""
    c1, c2 = channels
    kind = {"rng": rng, "dtype": dtype}
    return Sequential(
        Reshape(28, 28, 1),
        Conv2d(1, c1, 4, stride=2, padding=1, **kind),
        activation(),
        Conv2d(c1, c2, 4, stride=2, padding=1, **kind),
        activation(),
        Flatten(),
        Linear(7 * 7 * c2, features, **kind),
    )


def conv_decoder(
    features: int,
    channels: tuple[int, int] = (16, 32),
    *,
    rng: np.random.Generator,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """The way back, by transposed convolutions: features → 7×7×C2 → 14×14×C1 → 28×28×1 → 784."""
    c1, c2 = channels
    kind = {"rng": rng, "dtype": dtype}
    return Sequential(
        Linear(features, 7 * 7 * c2, **kind),
        activation(),
        Reshape(7, 7, c2),
        ConvTranspose2d(c2, c1, 4, stride=2, padding=1, **kind),
        activation(),
        ConvTranspose2d(c1, 1, 4, stride=2, padding=1, **kind),
        Flatten(),
    )


def in_batches(f, X: np.ndarray, size: int = 1000) -> np.ndarray:
    """f over X in parts of at most `size` rows, so that memory does not grow with the data."""
    return np.concatenate([f(X[i : i + size]) for i in range(0, len(X), size)])
