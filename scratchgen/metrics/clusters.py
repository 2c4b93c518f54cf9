"""Silhouette score, k-nearest-neighbour accuracy, and k-means clustering."""

from __future__ import annotations

import numpy as np

from scratchgen.checks import as_generator, expect_count, expect_examples, expect_int, expect_labels, one_hot
from scratchgen.metrics.labels import accuracy
from scratchgen.metrics.pairwise import BLOCK, squared_distances, unit_of


def silhouette_score(Z: np.ndarray, y: np.ndarray) -> float:
    """Compute how well the classes y (N,) are separated in Z (N, K): the mean silhouette (Rousseeuw 1987).

    For an example i of class c, with d the Euclidean distance and N_k the number of examples of class k:

        a_i = 1/(N_c − 1) · Σ_{j ≠ i, y_j = c} d(z_i, z_j)          mean distance to its own class
        b_i = min_{k ≠ c} 1/N_k · Σ_{y_j = k} d(z_i, z_j)           mean distance to the nearest other class
        s_i = (b_i − a_i) / max(a_i, b_i)                           0 where N_c = 1, or where a_i = b_i = 0

    Returns the mean of s_i over all examples: 1 is perfect, 0 is no better than chance, and below 0 examples
    are closer to another class than to their own.
    Raises ValueError for fewer than two classes.
    """
    expect_examples("silhouette_score", Z)
    classes, y = np.unique(expect_labels("silhouette_score", y, len(Z)), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"silhouette_score expected two classes or more, got {len(classes)}")
    members = one_hot(y, len(classes))                          # (N, C), one-hot rows
    sizes = members.sum(axis=0)                                 # (C,)
    silhouettes = np.zeros(len(Z))
    for rows, squared in squared_distances(Z, Z, unit_of(Z)):
        own = np.arange(len(squared)), y[rows]
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = 0  # rounding leaves 1e-16
        totals = np.sqrt(squared) @ members                     # (B, C)
        a = totals[own] / np.maximum(sizes[y[rows]] - 1, 1)
        to_others = totals / sizes
        to_others[own] = np.inf
        b = to_others.min(axis=1)
        larger = np.maximum(a, b)
        defined = (sizes[y[rows]] > 1) & (larger > 0)
        silhouettes[rows][defined] = ((b - a)[defined]) / larger[defined]
    return float(silhouettes.mean())


def knn_accuracy(
    Z_train: np.ndarray, y_train: np.ndarray, Z_test: np.ndarray, y_test: np.ndarray, k: int = 10
) -> float:
    """Compute the accuracy of a k-nearest-neighbour classifier on test examples.

    Z_train (N, K), y_train (N,), Z_test (M, K), y_test (M,). The distance is Euclidean. If several classes
    have equally many neighbours, the smallest label is predicted.
    Raises ValueError for k < 1 and for fewer than k training examples.
    """
    expect_examples("knn_accuracy", Z_train)
    expect_examples("knn_accuracy", Z_test, features=Z_train.shape[1])
    y_test = expect_labels("knn_accuracy", y_test, len(Z_test))
    classes, y_train = np.unique(expect_labels("knn_accuracy", y_train, len(Z_train)), return_inverse=True)
    if not 1 <= expect_int("knn_accuracy", "k", k) <= len(Z_train):
        raise ValueError(f"knn_accuracy expected k in 1..{len(Z_train)} (the training examples), got {k}")
    members = one_hot(y_train, len(classes))                    # (N, C)
    predicted = np.empty_like(y_test)
    for rows, squared in squared_distances(Z_test, Z_train, unit_of(Z_test, Z_train)):
        nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
        votes = members[nearest].sum(axis=1)                    # (B, C)
        predicted[rows] = classes[votes.argmax(axis=1)]
    return accuracy(predicted, y_test)


def kmeans(
    X: np.ndarray,
    k: int,
    *,
    rng: np.random.Generator | int,
    iterations: int = 100,
    centres: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the centroids of k clusters of X by Lloyd's algorithm: (N, D) -> (k, D), in the dtype of X.

        yₙ = argmin_c ‖xₙ − m_c‖²,   m_c = mean of the xₙ with yₙ = c         until no yₙ changes

    Neither step can increase Σₙ ‖xₙ − m_yₙ‖², so the algorithm converges (Lloyd 1982). An empty cluster is
    moved to the example that is farthest from its own centroid.

    iterations : the maximum number of iterations
    centres    : (k, D), the initial centroids; by default k-means++ (Arthur & Vassilvitskii 2007), which
                 takes k passes over X

    Raises ValueError for k outside 1 … N, for iterations < 1 and for centres of another shape.
    """
    expect_examples("kmeans", X)
    if not 1 <= expect_int("kmeans", "k", k) <= len(X):
        raise ValueError(f"kmeans expected k in 1..{len(X)} (the examples), got {k}")
    expect_count("kmeans", "iterations", iterations)
    rng = as_generator("kmeans", rng)
    if centres is None:
        centres = _spread_centres(X, k, rng)
    else:
        expect_examples("kmeans (its centres)", centres, features=X.shape[1])
    if centres.shape != (k, X.shape[1]):
        raise ValueError(f"kmeans expected centres of shape {(k, X.shape[1])}, got {centres.shape}")
    y, unit = np.full(len(X), -1), X.dtype.type(unit_of(X, centres))
    for _ in range(iterations):
        before, (y, squared) = y, _nearest_centre(X, centres, unit)
        if np.array_equal(before, y):
            break
        centres = _centroids(X, y, squared, centres)
    return centres


def _spread_centres(X: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return k-means++ centres: k examples, drawn in proportion to their squared distance to earlier ones."""
    chosen = [int(rng.integers(len(X)))]
    squared, unit = np.full(len(X), np.inf), X.dtype.type(unit_of(X))
    for _ in range(k - 1):
        squared = np.minimum(squared, (((X - X[chosen[-1]]) / unit) ** 2).sum(axis=1, dtype=np.float64))
        total = squared.sum()
        weights = squared / total if total > 0 else None        # None: every example equals a chosen one
        chosen.append(int(rng.choice(len(X), p=weights)))
    return X[chosen]


def _nearest_centre(
    X: np.ndarray, centres: np.ndarray, unit: np.floating
) -> tuple[np.ndarray, np.ndarray]:
    """The index of the nearest centre and (distance / unit)², both (N,), in the dtype of X."""
    middle = (X / unit).mean(axis=0)
    centres = centres / unit - middle
    lengths = (centres**2).sum(axis=1)
    y, squared = np.empty(len(X), np.int64), np.empty(len(X), X.dtype)
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        part = X[rows] / unit - middle
        distances = lengths - 2 * (part @ centres.T)            # ‖x‖² is the same for all centres
        y[rows] = distances.argmin(axis=1)
        squared[rows] = distances.min(axis=1) + (part**2).sum(axis=1)
    return y, squared


def _centroids(X: np.ndarray, y: np.ndarray, squared: np.ndarray, centres: np.ndarray) -> np.ndarray:
    counts = np.bincount(y, minlength=len(centres))
    order = np.argsort(y, kind="stable")
    filled, starts = np.unique(y[order], return_index=True)
    moved = centres.copy()
    moved[filled] = np.add.reduceat(X[order], starts, dtype=np.float64) / counts[filled, None]
    empty = np.flatnonzero(counts == 0)
    moved[empty] = X[np.argsort(squared)[::-1][: len(empty)]]
    return moved
