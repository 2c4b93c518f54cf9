"""Distances between all examples of one set and all of another, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 500         # rows of the distance matrix at a time: 40 MB for 10,000 columns
CENTRED = 1000      # number of examples whose median is the centre
CANCELLED = 1e-8    # a squared distance that is relatively smaller than this has lost its digits


def squared_distances(A: np.ndarray, B: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ‖a − b‖² for blocks of rows of A (N, D) and all rows of B (M, D), in float64.

        ‖a − b‖² = ‖a‖² − 2·a·b + ‖b‖²

    Yields (the slice of the rows, their squared distances (rows, M)). Far from the origin, the difference of
    large squares loses digits. So both sets are first centred on the median of B, which outliers hardly
    change. Squared distances that are still the difference of much larger numbers are computed again from
    a − b.
    """
    centre = np.median(B[:: max(1, len(B) // CENTRED)], axis=0).astype(np.float64)
    A, B = A - centre, B - centre
    lengths = (B**2).sum(axis=1)
    for start in range(0, len(A), BLOCK):
        part = A[start : start + BLOCK]
        sums = (part**2).sum(axis=1)[:, None] + lengths
        squared = sums - 2 * (part @ B.T)
        cancelled = squared < CANCELLED * sums
        for i in np.flatnonzero(cancelled.any(axis=1)):
            columns = np.flatnonzero(cancelled[i])
            squared[i, columns] = ((B[columns] - part[i]) ** 2).sum(axis=1)
        yield slice(start, start + len(part)), squared
