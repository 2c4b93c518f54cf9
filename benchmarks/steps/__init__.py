"""The training steps that are measured, each written with scratchgen, with PyTorch and with JAX.

The cards of the families (scratchgen/studies/cards) list the names. A module NAME.py of this folder defines

    model(dtype)            our model, seeded; its parameters, in their order, are everyone's initial weights
    data(n, dtype)          a list of batches, each a tuple of arrays
    noise(n, dtype)         the random numbers of a step, a tuple of arrays, to compare gradients with
    ours(dtype)             -> Step
    pytorch(dtype, way)     -> Step;  way: pytorch_side.Way
    jax(dtype)              -> Step
    products(n)             the matrix products of a step, which are the limit: (rows, inner, columns) each,
                            or (count, rows, inner, columns) for many small ones in one call
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

CONVOLUTIONAL = ("dcgan", "wgan_gp")    # PyTorch's channels-last is one more contender


class Step(NamedTuple):
    """A training step: `step(*batch)` updates; `gradients(*batch, *noise)` returns losses and gradients."""

    step: Callable[..., Any]
    gradients: Callable[..., tuple[list[float], list[np.ndarray]]]


def digits_like(n: int, dtype: str, count: int = 8, seed: int = 1) -> list[tuple[np.ndarray]]:
    """Batches of n rows of 784 numbers in [0, 1], a fifth of them bright, as in digits.

    The background is not exactly 0, because there the libraries differ in the slope of an activation's kink.
    """
    rng = np.random.default_rng(seed)
    shape = (count, n, 784)
    images = rng.uniform(size=shape) * np.where(rng.uniform(size=shape) < 0.2, 1, 0.01)
    return [(x,) for x in images.astype(dtype)]


def dense_products(sizes: tuple[int, ...], n: int) -> list[tuple[int, int, int]]:
    """The products of a dense network: forward and both gradients, without that of the first layer's
    input.
    """
    found = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        found += [(n, a, b), (a, n, b)]
        if i > 0:
            found.append((n, b, a))
    return found
