"""Figures of merit: what comes back from a code, and what a code knows of the classes.

All take NumPy arrays, compute in float64 and raise TypeError or ValueError that name what came and what was
expected. Distances are computed in blocks of rows, so memory does not grow with the square of the data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scratchgen.models.base import expect_examples

BLOCK = 500     # rows of a distance matrix at a time: 40 MB beside 10,000 others


def squared_error_per_example(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Σ_d (x_nd − y_nd)², one for each example: X and Y (N, D) -> (N,)."""
    expect_examples("squared_error_per_example", X)
    expect_examples("squared_error_per_example", Y)
    if X.shape != Y.shape:
        raise ValueError(f"squared_error_per_example expected X and Y of one shape, got {X.shape}, {Y.shape}")
    return ((X.astype(np.float64) - Y) ** 2).sum(axis=1)


def accuracy(predicted: np.ndarray, y: np.ndarray) -> float:
    """The share of predicted labels, (N,), that equal the labels y, (N,)."""
    predicted, y = np.asarray(predicted), np.asarray(y)
    if predicted.ndim != 1 or predicted.shape != y.shape or len(y) == 0:
        raise ValueError(
            f"accuracy expected one prediction for each label, at least one, got {predicted.shape}, {y.shape}"
        )
    return float((predicted == y).mean())


def silhouette_score(Z: np.ndarray, y: np.ndarray) -> float:
    """How well the classes y, (N,), separate in Z, (N, K): the mean silhouette (Rousseeuw 1987).

    For an example i of class c, with d the Euclidean distance and N_k the number of examples of class k:

        a_i = 1/(N_c − 1) · Σ_{j ≠ i, y_j = c} d(z_i, z_j)          to its own class
        b_i = min_{k ≠ c} 1/N_k · Σ_{y_j = k} d(z_i, z_j)           to the nearest other class
        s_i = (b_i − a_i) / max(a_i, b_i)                           0 where N_c = 1, or where a_i = b_i = 0

    The mean of s_i over all examples: 1 is perfect, 0 no better than chance, below 0 on the wrong side.
    Raises ValueError for fewer than two classes.
    """
    expect_examples("silhouette_score", Z)
    classes, y = np.unique(_labels("silhouette_score", y, len(Z)), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"silhouette_score expected two classes or more, got {len(classes)}")
    members = np.eye(len(classes))[y]                           # (N, C), one 1 a row
    sizes = members.sum(axis=0)                                 # (C,)
    silhouettes = np.zeros(len(Z))
    for rows, squared in _squared_distances(Z, Z):
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
    """The share of test examples whose k nearest training examples vote for their class.

    Z_train (N, K), Z_test (M, K); Euclidean distance; a tie goes to the smallest label.
    Raises ValueError for k < 1 and for fewer than k training examples.
    """
    expect_examples("knn_accuracy", Z_train)
    expect_examples("knn_accuracy", Z_test, features=Z_train.shape[1])
    y_test = _labels("knn_accuracy", y_test, len(Z_test))
    classes, y_train = np.unique(_labels("knn_accuracy", y_train, len(Z_train)), return_inverse=True)
    if not 1 <= k <= len(Z_train):
        raise ValueError(f"knn_accuracy expected k in 1..{len(Z_train)} (the training examples), got {k}")
    members = np.eye(len(classes))[y_train]                     # (N, C)
    predicted = np.empty_like(y_test)
    for rows, squared in _squared_distances(Z_test, Z_train):
        nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
        votes = members[nearest].sum(axis=1)                    # (B, C)
        predicted[rows] = classes[votes.argmax(axis=1)]
    return accuracy(predicted, y_test)


def nearest_distance(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """The Euclidean distance of each example of X to the nearest of Y: X (N, D), Y (M, D) -> (N,).

        d_n = min_m ‖x_n − y_m‖

    To compare samples with data, look both ways. From samples to data alone a blank or blurred image wins: it
    is near to everything. From data to samples it loses, and so do samples that leave out a part of the data.
    """
    expect_examples("nearest_distance", X)
    expect_examples("nearest_distance", Y, features=X.shape[1])
    nearest = np.empty(len(X))
    for rows, squared in _squared_distances(X, Y):
        nearest[rows] = np.sqrt(squared.min(axis=1))
    return nearest


def _squared_distances(A: np.ndarray, B: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
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


def _labels(who: str, y: np.ndarray, n: int) -> np.ndarray:
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"{who} expected integer labels, got dtype {y.dtype}")
    if y.shape != (n,):
        raise ValueError(f"{who} expected one label for each of {n} examples, got shape {y.shape}")
    return y
