"""Distances between examples, and between sets of examples."""

from __future__ import annotations

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.metrics.pairwise import squared_distances


def squared_error_per_example(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Compute the squared error of each example, Σ_d (x_nd − y_nd)²: X and Y (N, D) -> (N,)."""
    expect_examples("squared_error_per_example", X)
    expect_examples("squared_error_per_example", Y)
    if X.shape != Y.shape:
        raise ValueError(
            f"squared_error_per_example expected X and Y of the same shape, got {X.shape} and {Y.shape}"
        )
    return ((X.astype(np.float64) - Y) ** 2).sum(axis=1)


def nearest_distance(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Compute the Euclidean distance of each x to the nearest y: X (N, D), Y (M, D) -> (N,).

        d_n = min_m ‖x_n − y_m‖

    To compare samples with data, use both directions. From samples to data, blank or blurred images have the
    smallest distances, because they are close to many examples. From data to samples, such images have large
    distances, and so have samples that do not cover all of the data.
    """
    expect_examples("nearest_distance", X)
    expect_examples("nearest_distance", Y, features=X.shape[1])
    nearest = np.empty(len(X))
    for rows, squared in squared_distances(X, Y):
        nearest[rows] = np.sqrt(squared.min(axis=1))
    return nearest


def frechet_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """Compute the Fréchet distance between two sets of features: X (N, F), Y (M, F).

        d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½)

    This is the squared Wasserstein distance between two Normal distributions (Dowson & Landau 1982,
    equation 4). With features of the Inception classifier it is the FID (Heusel et al. 2017, equation 6).
    With the symmetric root S = Σ₁^½, Σ₁Σ₂ has the same eigenvalues as S·Σ₂·S, which is symmetric, so tr
    (Σ₁Σ₂)^½ is the sum of their square roots.

    Covariances are divided by N − 1 and M − 1. A small number of examples increases the distance, even
    between two samples of the same distribution, so compare only values for the same N. Raises ValueError for
    fewer than two examples.
    """
    expect_examples("frechet_distance", X, least=2)
    expect_examples("frechet_distance", Y, features=X.shape[1], least=2)
    mean1, cov1 = _moments(X)
    mean2, cov2 = _moments(Y)
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # S = Σ₁^½
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov2 @ root), 0)).sum()  # tr (Σ₁Σ₂)^½
    distance = ((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * cross
    return max(float(distance), 0.0)  # rounding gives −1e-13 for equal sets


def _moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (F,) and covariance (F, F), in float64."""
    mean = X.mean(axis=0, dtype=np.float64)
    centred = X - mean
    return mean, centred.T @ centred / (len(X) - 1)
