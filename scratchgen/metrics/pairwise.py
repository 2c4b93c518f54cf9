"""Distances of every example of one set to every one of another, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 500     # rows of a distance matrix at a time: 40 MB beside 10,000 others


def squared_distances(A: np.ndarray, B: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """‖a − b‖² = ‖a‖² − 2·a·b + ‖b‖² for blocks of rows of A: (rows, (rows, M)), in float64.

    Both are centred on B's mean first: far from the origin the difference of large squares would lose digits.
    """
    centre = B.mean(axis=0, dtype=np.float64)
    A, B = A - centre, B - centre
    lengths = (B**2).sum(axis=1)
    for start in range(0, len(A), BLOCK):
        part = A[start : start + BLOCK]
        squared = (part**2).sum(axis=1)[:, None] - 2 * (part @ B.T) + lengths
        yield slice(start, start + len(part)), np.maximum(squared, 0, out=squared)
