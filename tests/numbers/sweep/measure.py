"""An entry of the sweep, and the comparison of what a function returned with the true values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scratchgen import kernels
from sweep.bounds import BOUNDS, Bound
from sweep.oracle import context, number

DTYPES = (np.float32, np.float64)


class True_(NamedTuple):
    """A true value, and the size of the terms whose sum it is. Its error is compared with this size.

    If `size` is larger than the largest finite number, the sum overflows and nothing is promised.
    """

    value: Any
    size: Any = None


@dataclass(frozen=True)
class Entry:
    """One function of the sweep.

    call  : (…) -> an array, or a tuple of arrays and numbers
    cases : (dtype, rng) -> the arguments of each call
    truth : (the same arguments) -> one True_ (or value) for each result
    twin  : whether both kernels are called, because the function has a twin or calls a function with one
    double : whether the function computes in float64 for float32 arguments
    """

    name: str
    call: Callable[..., Any]
    cases: Callable[[Any, np.random.Generator], list[tuple]]
    truth: Callable[..., Any]
    twin: bool = False
    double: bool = False
    dtypes: tuple[Any, ...] = DTYPES

    @property
    def bound(self) -> Bound:
        return BOUNDS[self.name]

    @property
    def backends(self) -> tuple[str, ...]:
        return kernels.BACKENDS if self.twin else ("reference",)


class Found(NamedTuple):
    """The result of an entry for one dtype and one set of kernels.

    cases : numbers that were compared;  outside : numbers for which nothing is promised
    worst : the largest error, in units in the last place of the size;  where : the arguments
    """

    cases: int
    outside: int
    worst: float
    where: str


def results(value: Any) -> list[np.ndarray]:
    """The arrays and numbers of a result, in order."""
    return [np.asarray(part) for part in value] if isinstance(value, tuple | list) else [np.asarray(value)]


def truths(value: Any) -> list[True_]:
    if isinstance(value, True_):
        return [value]
    return (
        [part if isinstance(part, True_) else True_(part) for part in value]
        if isinstance(value, tuple | list)
        else [True_(value)]
    )


def sweep(entry: Entry, dtype: Any) -> dict[str, Found]:
    """Compare all cases of an entry, for each set of kernels."""
    name_seed = [ord(c) for c in entry.name]
    cases = entry.cases(dtype, np.random.default_rng(name_seed))
    compared: dict[str, list[Any]] = {backend: [0, 0, -1.0, ""] for backend in entry.backends}
    for given in cases:
        expected = truths(entry.truth(*given))
        for backend in entry.backends:
            with kernels.use(backend), np.errstate(all="ignore"):
                got = results(entry.call(*(_copy(a) for a in given)))
            assert len(got) == len(expected), (entry.name, len(got), len(expected))
            total = compared[backend]
            for position, (a, b) in enumerate(zip(got, expected, strict=True)):
                eps_dtype = np.float64 if entry.double else dtype
                for place, error in errors(a, b, eps_dtype, entry.bound):
                    if error is None:
                        total[1] += 1
                        continue
                    total[0] += 1
                    if error > total[2]:
                        value = np.broadcast_to(np.asarray(b.value, object), a.shape)[place]
                        what = f"result {position}{list(place)} of {describe(given)}: {a[place]!r}"
                        total[2], total[3] = error, f"{what}, true {context.nstr(value, 17)}"
    return {backend: Found(*total) for backend, total in compared.items()}


def _copy(a: Any) -> Any:
    return a.copy() if isinstance(a, np.ndarray) else a


def describe(given: tuple) -> str:
    """The arguments of a call, long arrays shortened."""
    with np.printoptions(threshold=12, edgeitems=4, precision=17):
        return ", ".join(" ".join(repr(a).split())[:300] for a in given)


def errors(
    got: np.ndarray, true: True_, dtype: Any, bound: Bound
) -> Iterator[tuple[tuple[int, ...], float | None]]:
    """(place, error) of each number, in units in the last place; None where nothing is promised.

    The unit is eps · max(size, the smallest normal number), so it is never below the smallest subnormal
    number. An infinite error means: not finite, or not infinite, where it should be.
    """
    info = np.finfo(dtype)
    eps = number(float(info.eps))
    largest = number(float(np.finfo(got.dtype).max)) if got.dtype.kind == "f" else number(2) ** 62
    least = number(float(info.tiny)) / (eps if bound.flushes else 1)
    value = np.broadcast_to(np.asarray(true.value, object), got.shape)
    size = value if true.size is None else np.broadcast_to(np.asarray(true.size, object), got.shape)
    for place in np.ndindex(got.shape):
        v, s, c = value[place], abs(size[place]), got[place]
        if context.isnan(v):
            yield place, 0.0 if math.isnan(c) else math.inf
        elif context.isinf(v):
            yield place, 0.0 if math.isinf(c) and (c > 0) == (v > 0) else math.inf
        elif abs(v) > largest:
            near = math.isfinite(c) and abs(number(float(c)) - v) <= bound.ulps * eps * abs(v)
            yield (
                place,
                0.0 if near or (math.isinf(c) and (c > 0) == (v > 0)) else (None if s > abs(v) else math.inf),
            )
        elif s > largest:
            yield place, None
        elif not math.isfinite(c):
            rounds_up = s * (1 + bound.ulps * eps) > largest and not math.isnan(c)
            yield place, 0.0 if rounds_up else math.inf
        else:
            error = abs(number(float(c)) - v) / (eps * max(s, least))
            yield place, float(error)
