"""Distances between examples, and between sets of examples."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.metrics.pairwise import squared_distances, unit_of


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
    nearest, unit = np.empty(len(X)), unit_of(X, Y)
    for rows, squared in squared_distances(X, Y, unit):
        nearest[rows] = unit * np.sqrt(squared.min(axis=1))
    return nearest


def frechet_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """Compute the Fréchet distance between two sets of features: X (N, F), Y (M, F).

        d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½)

    This is the squared Wasserstein distance between two Normal distributions (Dowson & Landau 1982,
    equation 4). With features of the Inception classifier it is the FID (Heusel et al. 2017, equation 6).
    With a triangular R for which Σ = Rᵀ·R, Σ₁Σ₂ has the same eigenvalues (other than 0) as the symmetric
    matrix (R₁·R₂ᵀ)·(R₁·R₂ᵀ)ᵀ. So tr (Σ₁Σ₂)^½ is the sum of the singular values of R₁·R₂ᵀ. No root of an
    eigenvalue is taken, which would turn a rounding error of 1e-16 into one of 1e-8.

    Covariances are divided by N − 1 and M − 1. With few examples, the distance is larger, even between two
    samples of the same distribution, so only compare values for the same N. Raises ValueError for fewer than
    two examples.
    """
    expect_examples("frechet_distance", X, least=2)
    expect_examples("frechet_distance", Y, features=X.shape[1], least=2)
    unit = unit_of(X, Y)
    mean1, root1 = _moments(X, unit)
    mean2, root2 = _moments(Y, unit)
    cross = np.linalg.svd(root1 @ root2.T, compute_uv=False).sum()  # tr (Σ₁Σ₂)^½
    distance = ((mean1 - mean2) ** 2).sum() + (root1**2).sum() + (root2**2).sum() - 2 * cross
    return unit * max(float(distance), 0.0) * unit      # rounding gives −1e-16 for equal sets


def _moments(X: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean (F,) and the triangular R (·, F) with RᵀR = covariance, in float64, of X / unit."""
    X = X / np.float64(unit)
    mean = X.mean(axis=0)
    mean += (X - mean).mean(axis=0)                             # adds the rounding error back
    root = np.asarray(np.linalg.qr(X - mean, mode="r"))
    return mean, root / math.sqrt(len(X) - 1)
