"""Checks of the layer contract: what a layer guarantees besides a correct gradient.

A layer can have correct gradients and still make a network wrong, for example if its backward overwrites
p.grad instead of adding to it, changes the caller's dout in place, or reads its input from the layer instead
of the cache. Each guarantee gives one Result.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchgen.checks import as_generator, describe, expect_flags, is_plain_array
from scratchgen.gradcheck.checker import backward, remember
from scratchgen.gradcheck.differences import Result, exact_result
from scratchgen.layers.base import Layer


def check_contract(
    layer: Layer, x: np.ndarray, *, rng: np.random.Generator | int, training: bool = False
) -> list[Result]:
    """Check the guarantees of scratchgen.layers.base, for input x, (N, …).

    "dout, x and cache kept" : backward does not change them
    "gradients add up" : two calls of backward give twice the gradient
    "cache is complete" : another forward before backward changes nothing
    "frozen" : inside frozen(), p.grad does not change, and dx is the same
    "input_grad=False" : backward returns None, and the parameter gradients are the same

    Afterwards the layer's gradients are zero; buffers and generators are as before.
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"check_contract expected layer to be a Layer, got {layer!r}")
    if not is_plain_array(x):
        raise TypeError(f"check_contract expected x to be an array, got {describe(x)}")
    expect_flags("check_contract", training=training)
    rng = as_generator("check_contract", rng)
    restore = remember(layer)
    out, cache = layer.forward(x, training)
    u = rng.standard_normal(out.shape).astype(out.dtype)
    cache_before, x_before, dout = copy.deepcopy(list(arrays_in(cache))), x.copy(), u.copy()
    layer.zero_grad()
    dx = layer.backward(dout, cache)
    once = _gradients(layer)
    first = np.zeros(0) if dx is None else dx.copy()
    kept = _difference([dout, x, *arrays_in(cache)], [u, x_before, *cache_before])

    layer.backward(u.copy(), cache)
    added = _difference(_gradients(layer), [2 * g for g in once])

    restore()
    _, cache = layer.forward(x, training)
    layer.forward(rng.permutation(x.reshape(-1)).reshape(x.shape), training)
    dx, gradients = backward(layer, u, cache)
    complete = _difference([dx, *gradients.values()], [first, *once])

    layer.zero_grad()
    with layer.frozen():
        dx = layer.backward(u.copy(), cache)
    still = _difference([dx, *_gradients(layer)], [first, *(np.zeros_like(g) for g in once)])

    returned = layer.backward(u.copy(), cache, input_grad=False)
    same = _difference(_gradients(layer), once) if returned is None else np.inf
    layer.zero_grad()
    restore()
    found = {
        "dout, x and cache kept": kept,
        "gradients add up": added,
        "cache is complete": complete,
        "frozen": still,
        "input_grad=False": same,
    }
    return [exact_result(what, x.shape, error, 1.0) for what, error in found.items()]


def arrays_in(cache: Any) -> Iterator[np.ndarray]:
    """Yield all arrays in a cache, which may be nested tuples, lists and dicts."""
    if isinstance(cache, np.ndarray):
        yield cache
    elif isinstance(cache, tuple | list):
        for part in cache:
            yield from arrays_in(part)
    elif isinstance(cache, dict):
        yield from arrays_in(list(cache.values()))


def _gradients(layer: Layer) -> list[np.ndarray]:
    return [p.grad.copy() for p in layer.parameters().values()]


def _difference(found: list[Any], expected: list[np.ndarray]) -> float:
    """The largest difference between arrays that should be equal, relative to the largest entry of each.

    The result is NaN if an array contains a NaN. Python's max would ignore it: max(0.0, nan) is 0.0.
    """
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        if a is None or a.shape != b.shape:
            return np.inf
        scale = np.abs(b).max(initial=0.0) or 1.0
        worst = float(np.maximum(worst, np.abs(a.astype(float) - b).max(initial=0.0) / scale))
    return worst
