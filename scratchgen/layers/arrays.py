"""Sums and copies of large arrays, which networks with several branches need."""

from __future__ import annotations

import numpy as np

from scratchgen.checks import Array
from scratchgen.kernels import compiled


@compiled
def add(a: Array, b: Array) -> Array:
    """a + b, for arrays of the same shape and dtype."""
    return a + b


@compiled
def add_to_pixels(a: Array, shift: Array) -> Array:
    """a (N, …, C) plus one number for each example and channel, shift (N, C)."""
    return a + shift.reshape(len(shift), *[1] * (a.ndim - 2), shift.shape[1])


@compiled
def sum_over_pixels(a: Array) -> Array:
    """The sum over all axes but the first and the last, (N, …, C) -> (N, C)."""
    return a.sum(axis=tuple(range(1, a.ndim - 1)))


@compiled
def join(a: Array, b: Array) -> Array:
    """a (…, C) and b (…, M) next to each other, (…, C + M)."""
    return np.concatenate([a, b], axis=-1)


@compiled
def split(joined: Array, width: int) -> tuple[Array, Array]:
    """The first `width` channels of (…, C), and the others. This reverses `join`."""
    return joined[..., :width].copy(), joined[..., width:].copy()
