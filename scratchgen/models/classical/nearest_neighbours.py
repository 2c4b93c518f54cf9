"""Nearest neighbours: no model at all, only the examples and a distance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scratchgen.models.base import expect_examples
from scratchgen.models.classical.base import Classifier, expect_labelled

BLOCK = 500     # rows of the distance matrix at a time


class NearestNeighbours(Classifier):
    """The vote of the k nearest training examples, by Euclidean distance (Cover & Hart 1967).

    P(y | x) is the share of the k that are of class y; of classes that tie, `predict` takes the smaller
    label. `fit` only keeps the data. Computed in float64, whatever comes in. Raises ValueError for k < 1.
    """

    def __init__(self, k: int = 5):
        if k < 1:
            raise ValueError(f"NearestNeighbours expected k >= 1, got {k}")
        self.k = k

    def fit(self, X, y=None):
        """Keep X (N, D) and y (N,). Raises ValueError for fewer than k examples."""
        y, classes = expect_labelled("NearestNeighbours.fit", X, y)
        if len(X) < self.k:
            raise ValueError(f"NearestNeighbours.fit expected at least k = {self.k} examples, got {len(X)}")
        self._X, self._votes = X, np.eye(classes)[y]            # (N, C), one 1 a row
        return self

    def predict_proba(self, X):
        self._expect_fitted("_X")
        expect_examples("NearestNeighbours.predict_proba", X, features=self._X.shape[1])
        out = np.empty((len(X), self._votes.shape[1]))
        for rows, squared in squared_distances(X, self._X):
            nearest = np.argpartition(squared, self.k - 1, axis=1)[:, : self.k]
            out[rows] = self._votes[nearest].mean(axis=1)
        return out


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
        yield slice(start, start + len(part)), squared
