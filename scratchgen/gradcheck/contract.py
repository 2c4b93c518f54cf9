"""Checks of the layer contract: what a layer guarantees besides a correct gradient.

A layer can have correct gradients and still make a network wrong, for example if its backward overwrites
p.grad instead of adding to it, changes the caller's dout in place, or reads its input from the layer instead
of the cache. Each guarantee gives one Result.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scratchgen.checks import describe, expect_flags, is_plain_array
from scratchgen.gradcheck.arrays import generator_of_check
from scratchgen.gradcheck.calls import backward, remember
from scratchgen.gradcheck.causes.words import join, number
from scratchgen.gradcheck.differences import Result, exact_result
from scratchgen.gradcheck.explain import text_only
from scratchgen.layers.base import Layer

FROZEN = (
    "Inside frozen(), the gradient of {} is wrong: add to p.grad only if self.trainable, and return dx "
    "as usual."
)
RANDOM = (
    "Two calls of backward with the same dout and cache give different results. If it draws random numbers, "
    "draw them in forward and put them into the cache."
)

GUARANTEES = (
    "dout, x and cache kept", "gradients add up", "cache is complete", "frozen", "input_grad=False",
)  # fmt: skip


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
    rng = generator_of_check("check_contract", rng)
    restore = remember(layer)
    given, x = x, x.copy()
    out, cache = layer.forward(x, training)
    u = rng.standard_normal(out.shape).astype(out.dtype)
    cache_before, dout = copy.deepcopy(list(arrays_in(cache))), u.copy()
    x_changed = not np.array_equal(x, given, equal_nan=True)
    layer.zero_grad()
    dx = layer.backward(dout, cache)
    once = _gradients(layer)
    first = np.zeros(0) if dx is None else dx.copy()
    names = list(layer.parameters())
    caches = [f"array {i} of the cache" for i in range(len(cache_before))]
    kept = _compare(
        ["dout", "x", *caches], [dout, x, *arrays_in(cache)], [u, given, *cache_before]
    )

    again = layer.backward(u.copy(), cache)
    twice = _gradients(layer)
    added = _compare(names, twice, [2 * g for g in once])
    repeated = _compare(["dx"], [again], [first])

    restore()
    _, cache = layer.forward(x, training)
    state = copy.deepcopy(_state(layer))
    layer.forward(rng.permutation(x.reshape(-1)).reshape(x.shape), training)
    replaced = [name for name, value in _state(layer).items() if not _alike(value, state.get(name))]
    dx, gradients = backward(layer, u, cache)
    complete = _compare(["dx", *names], [dx, *gradients.values()], [first, *once])

    layer.zero_grad()
    with layer.frozen():
        dx = layer.backward(u.copy(), cache)
    unchanged = [np.zeros_like(g) for g in once]
    still = _compare(["the input", *names], [dx, *_gradients(layer)], [first, *unchanged])

    returned = layer.backward(u.copy(), cache, input_grad=False)
    same = _compare(names, _gradients(layer), once) if returned is None else {"dx": np.inf}
    layer.zero_grad()
    restore()
    overwritten = [name for name, g, old in zip(names, twice, once, strict=True) if np.array_equal(g, old)]
    random = repeated["dx"] > 1e-12 and not any(kept.values())
    found = (
        (kept, *_changing(x_changed, dout, u)),
        (added, "overwritten", _adding(overwritten)),
        (complete, *(("random", RANDOM) if random else ("other cache", _replaced(replaced)))),
        (still, *(("random", RANDOM) if random else ("frozen", FROZEN))),
        (same, "input_grad", _without_dx(returned)),
    )
    return [_result(what, x.shape, *rest) for what, rest in zip(GUARANTEES, found, strict=True)]


def _result(
    what: str, shape: tuple[int, ...], errors: dict[str, float], cause: str, text: str
) -> Result:
    """The result for one guarantee. `text` has {} where the arrays that broke it are named."""
    result = exact_result(what, shape, float(np.max(list(errors.values()), initial=0.0)), 1.0)
    if result.ok:
        return result
    broken = [name for name, error in errors.items() if not error <= result.tolerance]
    if np.isnan([errors[name] for name in broken]).any():
        text = "{} became nan."
    return replace(result, explanation=text_only(cause, text.format(join(broken, "and"))))


def _changing(x_changed: bool, dout: np.ndarray, u: np.ndarray) -> tuple[str, str]:
    if x_changed:
        return "x changed", "Forward changed its input x in place. Work on a copy."
    return "changed", f"Backward changed {{}} in place{_ratio(dout, u)}. Work on a copy."


def _ratio(dout: np.ndarray, u: np.ndarray) -> str:
    """How backward changed dout, if every entry was multiplied by the same number."""
    c = float((dout * u).sum() / (u * u).sum())
    if c == 1 or not np.allclose(dout, c * u, rtol=1e-9, atol=0):
        return ""
    return f" (dout was multiplied by {number(c)})"


def _adding(overwritten: Sequence[str]) -> str:
    if not overwritten:
        return "The second call of backward did not add the same gradient to {} as the first."
    return (
        "Two calls of backward leave {} with the gradient of one: write p.grad += a, not p.grad[...] = a "
        "or p.grad = a."
    )


def _replaced(names: Sequence[str]) -> str:
    text = "After another forward, backward with the first cache gives another result for {}"
    if not names:
        return f"{text}: it uses values that the second forward changed."
    attributes = join([f"self.{name}" for name in names], "and")
    return f"{text}: the second forward replaced {attributes}. Put what backward needs into the cache."


def _without_dx(returned: Any) -> str:
    if returned is not None:
        return "Backward returned an array, although input_grad=False asks for None."
    return "With input_grad=False, the gradient of {} differs: only dx may be skipped."


def _state(layer: Layer) -> dict[str, Any]:
    """The arrays, numbers and tuples among the attributes of a layer, without its buffers."""
    kinds = (np.ndarray, int, float, tuple, list, type(None))
    return {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, kinds) and name not in layer.buffer_names
    }


def _alike(a: Any, b: Any) -> bool:
    first, second = list(arrays_in(a)), list(arrays_in(b))
    if not first and not second:
        return bool(a == b)
    return len(first) == len(second) and all(map(np.array_equal, first, second))


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


def _compare(names: Sequence[str], found: Sequence[Any], expected: Sequence[np.ndarray]) -> dict[str, float]:
    """The largest difference of each array from the expected one, relative to the largest entry of that.

    A difference is inf for None or another shape, and NaN if only one of the two has a number at an entry.
    """
    errors = {}
    for name, a, b in zip(names, found, expected, strict=True):
        if a is None or a.shape != b.shape:
            errors[name] = float("inf")
            continue
        scale = np.abs(b[np.isfinite(b)]).max(initial=0.0) or 1.0
        differs = (a != b) & ~(np.isnan(a) & np.isnan(b))
        errors[name] = float(np.abs(a[differs].astype(float) - b[differs]).max(initial=0.0) / scale)
    return errors
