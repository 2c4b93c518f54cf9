"""Twins of layers/arrays.py, and a sum in place: passes over large arrays, in blocks that threads share."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expects


@kernel("contract")
def _copy(target, source):
    for i in range(target.size):
        target[i] = source[i]


@kernel("contract")
def _add(target, source):
    for i in range(target.size):
        target[i] += source[i]


def accumulate(target: np.ndarray, source: np.ndarray, add: bool) -> None:
    """target = source, or target += source, for contiguous arrays of the same shape and dtype."""
    share(_add if add else _copy, (target.reshape(-1), source.reshape(-1)))


def _flat(a: np.ndarray) -> np.ndarray:
    """The numbers of an array in one row."""
    return np.ascontiguousarray(a).reshape(-1)


@expects(a="...", b="...")
def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.empty(a.shape, a.dtype)
    share(_sum, (_flat(a), _flat(b), out.reshape(-1)))
    return out


@kernel("contract")
def _sum(a, b, out):
    for i in range(a.size):
        out[i] = a[i] + b[i]


@expects(a="... c", shift="n c")
def add_to_pixels(a: np.ndarray, shift: np.ndarray) -> np.ndarray:
    if a.ndim < 2 or len(a) != len(shift):
        raise ValueError(f"add_to_pixels expected a shift for each example, got {a.shape} and {shift.shape}")
    out = np.empty(a.shape, a.dtype)
    if out.size:
        pixels = len(a), -1, a.shape[-1]
        parts = np.ascontiguousarray(a).reshape(pixels), np.ascontiguousarray(shift), out.reshape(pixels)
        share(_add_to_pixels, parts, each=a[0].size)
    return out


@kernel("contract")
def _add_to_pixels(a, shift, out):
    for n in range(a.shape[0]):
        for p in range(a.shape[1]):
            for c in range(a.shape[2]):
                out[n, p, c] = a[n, p, c] + shift[n, c]


@expects(a="... c")
def sum_over_pixels(a: np.ndarray) -> np.ndarray:
    if a.ndim < 2:
        raise ValueError(f"sum_over_pixels expected an array (N, …, C), got shape {a.shape}")
    total = np.zeros((len(a), a.shape[-1]), a.dtype)
    if a.size:
        pixels = np.ascontiguousarray(a).reshape(len(a), -1, a.shape[-1])
        share(_sum_over_pixels, (pixels, total), each=a[0].size)
    return total


@kernel("contract")
def _sum_over_pixels(a, total):
    for n in range(a.shape[0]):
        for p in range(a.shape[1]):
            for c in range(a.shape[2]):
                total[n, c] += a[n, p, c]


@expects(a="... c", b="... m")
def join(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    width = a.shape[-1]
    out = np.empty((*a.shape[:-1], width + b.shape[-1]), a.dtype)
    if not (a.size and b.size):
        out[..., :width], out[..., width:] = a, b
        return out
    share(_join, (_rows(a), _rows(b), _rows(out)), each=out.shape[-1])
    return out


@kernel("contract")
def _join(a, b, out):
    width = a.shape[1]
    for i in range(a.shape[0]):
        for j in range(width):
            out[i, j] = a[i, j]
        for j in range(b.shape[1]):
            out[i, width + j] = b[i, j]


@expects(joined="... c")
def split(joined: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    if not 0 <= width <= joined.shape[-1]:
        raise ValueError(f"split expected a width of 0 to {joined.shape[-1]}, got {width}")
    a = np.empty((*joined.shape[:-1], width), joined.dtype)
    b = np.empty((*joined.shape[:-1], joined.shape[-1] - width), joined.dtype)
    if not (a.size and b.size):
        a[...], b[...] = joined[..., :width], joined[..., width:]
        return a, b
    share(_split, (_rows(joined), _rows(a), _rows(b)), each=joined.shape[-1])
    return a, b


@kernel("contract")
def _split(joined, a, b):
    width = a.shape[1]
    for i in range(a.shape[0]):
        for j in range(width):
            a[i, j] = joined[i, j]
        for j in range(b.shape[1]):
            b[i, j] = joined[i, width + j]


def _rows(a: np.ndarray) -> np.ndarray:
    """(…, C) -> (M, C), contiguous."""
    return np.ascontiguousarray(a).reshape(-1, a.shape[-1])
