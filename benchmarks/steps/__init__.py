"""What is measured: one training step of each model, written here, in PyTorch and in JAX.

A module NAME.py of this folder defines

    model(dtype)            our model, seeded: its parameters, in their order, are everybody's initial weights
    data(n, dtype)          a list of batches, each a tuple of arrays
    noise(n, dtype)         what a step would draw, a tuple of arrays, to compare gradients with
    ours(dtype)             -> Step
    pytorch(dtype, way)     -> Step;  way: pytorch_side.Way
    jax(dtype)              -> Step
    products(n)             the matrix products of a step, the limit: (rows, inner, columns) each, and where
                            many small ones are made in one call, (count, rows, inner, columns)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

MODELS = ("autoencoder", "vae", "gan", "dcgan", "wgan_gp", "nice", "made", "characters")
CONVOLUTIONAL = ("dcgan", "wgan_gp")    # where PyTorch's channels-last is one more contender


class Step(NamedTuple):
    """A training step: `step(*batch)` updates; `gradients(*batch, *noise)` returns losses and gradients."""

    step: Callable[..., Any]
    gradients: Callable[..., tuple[list[float], list[np.ndarray]]]


def digits_like(n: int, dtype: str, count: int = 8, seed: int = 1) -> list[tuple[np.ndarray]]:
    """Batches of n rows of 784 numbers in [0, 1], a fifth of them ink, as digits have.

    The paper isn't quite blank: at exactly 0 a biasless kink would have a slope of each library's own.
    """
    rng = np.random.default_rng(seed)
    shape = (count, n, 784)
    images = rng.uniform(size=shape) * np.where(rng.uniform(size=shape) < 0.2, 1, 0.01)
    return [(x,) for x in images.astype(dtype)]


def dense_products(sizes: tuple[int, ...], n: int) -> list[tuple[int, int, int]]:
    """The products of a dense net: forward and both gradients, without the input's at the first layer."""
    found = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        found += [(n, a, b), (a, n, b)]
        if i > 0:
            found.append((n, b, a))
    return found
