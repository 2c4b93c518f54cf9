"""The networks that the players of a GAN are usually made of: dense, and DCGAN's for 28×28 digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
)


def dense_generator(
    code: int, hidden: int, pixels: int, *, rng: np.random.Generator, dtype: Any = np.float32
) -> Sequential:
    """(N, code) -> (N, pixels) between 0 and 1, through two hidden layers with ReLU."""
    kind = {"rng": rng, "dtype": dtype}
    return Sequential(
        Linear(code, hidden, **kind),
        ReLU(),
        Linear(hidden, hidden, **kind),
        ReLU(),
        Linear(hidden, pixels, **kind),
        Sigmoid(),
    )


def dense_critic(
    pixels: int, hidden: int, *, rng: np.random.Generator, dtype: Any = np.float32
) -> Sequential:
    """(N, pixels) -> (N, 1) through two hidden layers with leaky ReLU."""
    kind = {"rng": rng, "dtype": dtype}
    return Sequential(
        Linear(pixels, hidden, **kind),
        LeakyReLU(0.2),
        Linear(hidden, hidden, **kind),
        LeakyReLU(0.2),
        Linear(hidden, 1, **kind),
    )


def conv_generator(
    code: int, channels: Sequence[int], *, rng: np.random.Generator, dtype: Any = np.float32
) -> Sequential:
    """code → 7×7×C2 → 14×14×C1 → 28×28×1 → 784, between 0 and 1; batch norm everywhere but at the output."""
    c1, c2 = channels
    kind = {"rng": rng, "dtype": dtype}
    return Sequential(
        Linear(code, 7 * 7 * c2, bias=False, **kind),
        Reshape(7, 7, c2),
        BatchNorm(c2, dtype=dtype),
        ReLU(),
        ConvTranspose2d(c2, c1, 4, stride=2, padding=1, bias=False, **kind),
        BatchNorm(c1, dtype=dtype),
        ReLU(),
        ConvTranspose2d(c1, 1, 4, stride=2, padding=1, **kind),
        Flatten(),
        Sigmoid(),
    )


def conv_critic(
    channels: Sequence[int], *, batch_norm: bool, rng: np.random.Generator, dtype: Any = np.float32
) -> Sequential:
    """784 → 28×28×1 → 14×14×C1 → 7×7×C2 → 1 with leaky ReLU; batch norm after the second convolution only."""
    c1, c2 = channels
    kind = {"rng": rng, "dtype": dtype}
    norm: list[Layer] = [BatchNorm(c2, dtype=dtype)] if batch_norm else []
    return Sequential(
        Reshape(28, 28, 1),
        Conv2d(1, c1, 4, stride=2, padding=1, **kind),
        LeakyReLU(0.2),
        Conv2d(c1, c2, 4, stride=2, padding=1, bias=not batch_norm, **kind),
        *norm,
        LeakyReLU(0.2),
        Flatten(),
        Linear(7 * 7 * c2, 1, **kind),
    )
