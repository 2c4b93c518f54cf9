"""Nearest neighbours: classification by the labels of the closest training examples."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from scratchgen.checks import one_hot
from scratchgen.metrics.pairwise import squared_distances, unit_of
from scratchgen.models.arguments import count
from scratchgen.models.classical.base import Classifier, expect_labelled
from scratchgen.models.examples import as_examples


class NearestNeighbours(Classifier):
    """The vote of the k nearest training examples, by Euclidean distance (Cover & Hart 1967).

    P(y | x) is the fraction of the k that have label y; `predict` takes the smaller label if classes tie.
    `fit` only stores the data. Computations are in float64 for data of any dtype.

    k : number of neighbours that vote. Raises ValueError for k < 1.
    """

    def __init__(self, k: int = 5):
        self.k = count("NearestNeighbours", "k", k)

    def fit(self, X: np.ndarray, y: Any = None) -> Self:
        """Store X (N, D) and y (N,). Raises ValueError for fewer than k examples."""
        X, y, classes = expect_labelled("NearestNeighbours.fit", X, y)
        if len(X) < self.k:
            raise ValueError(f"NearestNeighbours.fit expected at least k = {self.k} examples, got {len(X)}")
        self._X, self._votes = X, one_hot(y, classes)           # (N, C)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """The fraction of each class among the k nearest, (N, C).

        Raises ValueError if distances overflow.
        """
        return self._probabilities("predict_proba", X)

    def _number_of_classes(self) -> int:
        return self._votes.shape[1]

    def _probabilities(self, method: str, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        self._expect_fitted("_X")
        X = as_examples(self._who(method), X, features=self._X.shape[1])
        out = np.empty((len(X), self._votes.shape[1]))
        unit = min(unit_of(X, self._X), 1.0)        # the squares of tiny numbers would underflow
        with np.errstate(over="ignore", invalid="ignore"):
            for rows, squared in squared_distances(X, self._X, unit):
                if not np.isfinite(squared.max()):
                    raise ValueError(
                        f"{self._who(method)} expected examples with finite distances, got one that is too "
                        f"far away (in rows {rows.start} to {rows.stop - 1})"
                    )
                nearest = np.argpartition(squared, self.k - 1, axis=1)[:, : self.k]
                out[rows] = self._votes[nearest].mean(axis=1)
        return out
