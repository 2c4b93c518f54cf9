"""Distances between all examples of one set and all of another, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

BLOCK = 500         # the most rows of the distance matrix at a time
ENTRIES = 5_000_000     # the most entries at a time, unless one row has more: 40 MB
CENTRED = 1000      # number of examples whose median is the centre
CANCELLED = 1e-8    # a squared distance that is relatively smaller than this has lost its digits


def unit_of(*arrays: np.ndarray) -> float:
    """A power of two near the largest absolute number. In this unit, no square overflows or underflows."""
    largest = max(float(max(a.max(initial=0), -a.min(initial=0))) for a in arrays)
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest > 0 else 1.0


def squared_distances(
    A: np.ndarray, B: np.ndarray, unit: float = 1.0
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ‖a − b‖² for blocks of rows of A (N, D) and all rows of B (M, D), in float64.

        ‖a − b‖² = ‖a‖² − 2·a·b + ‖b‖²

    a and b are divided by `unit`, a power of two.

    Yields (the slice of the rows, their squared distances (rows, M)). Far from the origin, the difference of
    large squares loses digits. So both sets are first centred on the median of B, which outliers hardly
    change. Squared distances that are still differences of much larger numbers are computed again from a − b,
    with the original a and b.
    """
    scale = np.float64(unit)                                    # float32 / float64 is float64
    middle = np.median(B[:: max(1, len(B) // CENTRED)] / scale, axis=0)
    centred = B / scale
    centred -= middle           # in place, as below: these arrays are large
    parts = [slice(start, start + BLOCK) for start in range(0, len(B), BLOCK)]
    lengths = np.concatenate([(centred[part] ** 2).sum(axis=1) for part in parts] or [np.zeros(0)])
    rows = max(1, min(BLOCK, ENTRIES // max(1, len(B))))
    for start in range(0, len(A), rows):
        part = A[start : start + rows] / scale - middle
        sums = (part**2).sum(axis=1)[:, None] + lengths
        squared = part @ centred.T
        squared *= -2
        squared += sums
        sums *= CANCELLED
        cancelled = squared < sums
        del sums
        for i in np.flatnonzero(cancelled.any(axis=1)):
            columns = np.flatnonzero(cancelled[i])
            squared[i, columns] = ((B[columns] / scale - A[start + i] / scale) ** 2).sum(axis=1)
        del cancelled
        yield slice(start, start + len(part)), squared
