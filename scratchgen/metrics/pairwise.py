"""Pairwise distances between two sets of examples, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 500     # rows of the distance matrix per block: 40 MB for 10,000 columns


def squared_distances(A: np.ndarray, B: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows, squared distances) for blocks of rows of A: a slice, and an array (B, M) in float64.

        ‖a − b‖² = ‖a‖² − 2·a·b + ‖b‖²

    Both sets are centred on B's mean first. Far from the origin, the difference of large squares would lose
    digits.
    """
    centre = B.mean(axis=0, dtype=np.float64)
    A, B = A - centre, B - centre
    lengths = (B**2).sum(axis=1)
    for start in range(0, len(A), BLOCK):
        part = A[start : start + BLOCK]
        squared = (part**2).sum(axis=1)[:, None] - 2 * (part @ B.T) + lengths
        yield slice(start, start + len(part)), np.maximum(squared, 0, out=squared)
