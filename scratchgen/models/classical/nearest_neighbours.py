"""Nearest neighbours: classification by the labels of the closest training examples."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from scratchgen.checks import one_hot
from scratchgen.metrics.pairwise import squared_distances, unit_of
from scratchgen.models.arguments import count
from scratchgen.models.classical.base import Classifier, expect_weighted
from scratchgen.models.examples import as_examples


class NearestNeighbours(Classifier):
    """The vote of the k nearest training examples, by Euclidean distance (Cover & Hart 1967).

    P(y | x) is the fraction of the k that have label y; `predict` takes the smaller label if classes tie.
    `fit` only stores the data. Computations are in float64 for data of any dtype.

    With weights w of the examples, in the order of their distance from x:

    (KNN.1)  vₙ = min(wₙ, k − Σ_{m<n} v_m),  P(y | x) = 1/k · Σ_{yₙ=y} vₙ

    The nearest examples share the k votes. An example of weight 2 has two of them, and the last example that
    votes may have only a part of its weight. Derived in docs/discriminative.md.

    k : number of neighbours that vote. Raises ValueError for k < 1.
    """

    _weights: np.ndarray | None = None

    def __init__(self, k: int = 5):
        self.k = count("NearestNeighbours", "k", k)

    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Store X (N, D) and y (N,).

        sample_weight : (N,), weights >= 0; an example of weight 2 counts as two equal examples (KNN.1). They
            are counts of examples, so their scale matters: weights that sum to 1 have a single vote

        Raises ValueError for fewer than k examples, or weights whose sum is below k.
        """
        X, y, weights, classes = expect_weighted("NearestNeighbours.fit", X, y, sample_weight)
        if weights is None and len(X) < self.k:
            raise ValueError(f"NearestNeighbours.fit expected at least k = {self.k} examples, got {len(X)}")
        if weights is not None and weights.sum() < self.k:
            raise ValueError(
                f"NearestNeighbours.fit expected a sample_weight whose sum is at least k = {self.k}, got "
                f"{weights.sum():g}; multiply it by len(X) / sample_weight.sum()"
            )
        self._X, self._votes, self._weights = X, one_hot(y, classes), weights   # _votes is (N, C)
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
                if self._weights is not None:
                    out[rows] = self._weighted_votes(squared, self._weights)
                    continue
                nearest = np.argpartition(squared, self.k - 1, axis=1)[:, : self.k]
                out[rows] = self._votes[nearest].mean(axis=1)
        return out

    def _weighted_votes(self, squared: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """P(y | x) of (KNN.1) for squared distances (B, N), (B, C)."""
        # Any `most` of the examples have at least k votes together.
        most = min(len(weights), int(np.searchsorted(np.cumsum(np.sort(weights)), self.k)) + 1)
        nearest = np.argpartition(squared, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(squared, nearest, axis=1), axis=1, kind="stable")
        nearest = np.take_along_axis(nearest, order, axis=1)                    # (B, most)
        w = weights[nearest]
        v = np.clip(self.k - (np.cumsum(w, axis=1) - w), 0, w)                  # (KNN.1)
        classes = range(self._votes.shape[1])
        return np.stack([(v * self._votes[nearest, c]).sum(axis=1) for c in classes], axis=1) / self.k
