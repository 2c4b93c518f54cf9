"""The measured steps: one training step of each model, in scratchgen, in PyTorch and in JAX.

A module NAME.py of this folder defines

    model(dtype)            our model, seeded: its parameters, in their order, are the initial weights of all
    data(n, dtype)          a list of batches, each a tuple of arrays
    noise(n, dtype)         the noise of a step, a tuple of arrays, to compare gradients
    ours(dtype)             -> Step
    pytorch(dtype, way)     -> Step;  way: pytorch_side.Way
    jax(dtype)              -> Step
    products(n)             the matrix products of a step, for the limit: each is (rows, inner, columns), or
                            (count, rows, inner, columns) for many small ones in one call
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

CONVOLUTIONAL = ("dcgan", "unet", "wgan_gp")    # models with PyTorch's channels-last as one more contender


class Step(NamedTuple):
    """A training step: `step(*batch)` updates; `gradients(*batch, *noise)` returns losses and gradients."""

    step: Callable[..., Any]
    gradients: Callable[..., tuple[list[float], list[np.ndarray]]]


def digits_like(n: int, dtype: str, count: int = 8, seed: int = 1) -> list[tuple[np.ndarray]]:
    """Batches of n rows of 784 numbers in [0, 1], a fifth of them large, like the pixels of digits.

    The background is not exactly 0: without a bias, an input of 0 would be at the kink of ReLU, where the
    libraries use different slopes.
    """
    rng = np.random.default_rng(seed)
    shape = (count, n, 784)
    images = rng.uniform(size=shape) * np.where(rng.uniform(size=shape) < 0.2, 1, 0.01)
    return [(x,) for x in images.astype(dtype)]


def dense_products(sizes: tuple[int, ...], n: int) -> list[tuple[int, int, int]]:
    """The products of a dense network: forward and both gradients, without that of the network's input."""
    found = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        found += [(n, a, b), (a, n, b)]
        if i > 0:
            found.append((n, b, a))
    return found
