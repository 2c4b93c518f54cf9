"""The numbers of the sweep, from the smallest subnormal to the largest finite number of a dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

# Where float32 and float64 functions change: eˣ over- or underflows, 1 ± eˣ rounds to 1, a series ends.
SPECIAL = (
    0.1,
    0.25,
    0.3466,
    0.5,
    0.69314718,
    1,
    1.2784645,
    1.5,
    2,
    3,
    5,
    8,
    12,
    16,
    17.5,
    20,
    30,
    36.7,
    38,
    45,
    60,
    80,
    87.3,
    87.34,
    88.37,
    88.4,
    88.7,
    88.73,
    95,
    103.2,
    104.5,
    150,
    350,
    700,
    708.3,
    709.7,
    709.8,
    745.1,
    746,
    1000,
    1e4,
)


def magnitudes(dtype: Any) -> list[float]:
    """Positive numbers of all sizes, chosen so that their digits are not zero by chance."""
    info = np.finfo(dtype)
    smallest, tiny, eps, largest = map(float, (info.smallest_subnormal, info.tiny, info.eps, info.max))
    low, high = np.log10(tiny), np.log10(largest)
    spread = 1.2345678901234567 * 10.0 ** np.linspace(low + 0.5, high - 0.5, 25)
    return [
        smallest, 5 * smallest, 1e5 * smallest, tiny / 3, tiny, *spread, tiny**0.5, eps / 2, eps, 3 * eps,
        eps**0.5, 1 - eps, 1 + eps, largest**0.5 / 2, largest**0.5 * 2, largest / 1e3, largest / 3, largest,
    ]  # fmt: skip


def numbers(dtype: Any, *, zero: bool = True) -> np.ndarray:
    """Numbers of both signs and all sizes, in ascending order: about 160."""
    positive = np.array([*SPECIAL, *magnitudes(dtype)], np.float64).astype(dtype)
    both = np.concatenate([positive, -positive, [dtype(0), dtype(-0.0)] if zero else []])
    return np.sort(both.astype(dtype), kind="stable")


def few(dtype: Any) -> np.ndarray:
    """About 20 of these numbers, for functions of several numbers."""
    info = np.finfo(dtype)
    tiny, eps, largest = float(info.tiny), float(info.eps), float(info.max)
    positive = [
        float(info.smallest_subnormal) * 7, tiny * 1.1, tiny**0.5, eps, 1e-3, 0.7, 1.3, 9.1, 40.0, 1e5,
        largest**0.25, largest**0.5 * 1.7, largest / 7,
    ]  # fmt: skip
    return np.array([0, *positive, *(-v for v in positive)], np.float64).astype(dtype)


def combined(*columns: np.ndarray) -> list[np.ndarray]:
    """All combinations of the entries of several arrays, one array for each."""
    return [a.ravel() for a in np.meshgrid(*columns, indexing="ij")]


def patterns(
    dtype: Any, shape: tuple[int, ...], rng: np.random.Generator, largest: float | None = None
) -> list[np.ndarray]:
    """Arrays of one shape: one magnitude, equal, opposite and widely different entries, and one outlier.

    largest : an upper limit of the magnitudes; by default the largest finite number
    """
    info = np.finfo(dtype)
    top = float(info.max) if largest is None else largest
    exponents = [
        np.log2(float(info.smallest_subnormal)) + 4,
        np.log2(float(info.tiny)) + 2,
        -40,
        -10,
        0,
        3,
        10,
    ]
    exponents += [np.log2(top) / 4, np.log2(top) / 2 + 1, np.log2(top) - 8, np.log2(top) - 1]
    found = []
    for exponent in exponents:
        if 2.0**exponent <= top:
            found.append(rng.uniform(-1, 1, shape) * 2.0**exponent)
    for size in (0.1, 3e7, top / 2):
        signs = np.resize([1.0, -1.0], shape)
        found += [np.full(shape, size), signs * size, size * (1 + 2 * float(info.eps) * signs)]
    low = np.log2(float(info.smallest_subnormal))
    wide = 2.0 ** rng.uniform(low, np.log2(top) - 1, shape) * rng.choice([-1, 1], shape)
    outlier = rng.uniform(-1, 1, shape)
    outlier.ravel()[0] = top / 2
    return [a.astype(dtype) for a in (*found, wide, outlier, np.zeros(shape))]
