"""Find directions of a generator's code along which a measurement of the image changes.

The axes of a Normal code have no special meaning, because its distribution does not change if z is rotated.
So directions are fitted: the images of many codes are measured, and the measurement is regressed on z.

    digit   the classifier's log-probability of each class
    slant   columns by which the stroke leans to the right per row: −cov(column, row) / var(row)
    width   of the stroke in pixels: total intensity over half of its outline, Σ x / ½·Σ |slope of x|
"""

from __future__ import annotations

import numpy as np

from scratchgen.models import GAN, MLPClassifier

NAMES = (*(f"digit {k}" for k in range(10)), "slant", "width")


def measure(images: np.ndarray, classifier: MLPClassifier) -> np.ndarray:
    """Log-probabilities of the ten digits, slant and width: (N, 784) -> (N, 12)."""
    p = classifier.predict_proba(images)
    return np.column_stack([np.log(p + 1e-6), slants(images), widths(images)])


def slants(images: np.ndarray) -> np.ndarray:
    """How far strokes lean to the right, in columns per row, (N, 784) -> (N,)."""
    share = images.reshape(-1, 28, 28) / images.sum(axis=1)[:, None, None]
    position = np.arange(28.0)
    row, column = share.sum(axis=2) @ position, share.sum(axis=1) @ position
    covariance = np.einsum("nij,i,j->n", share, position, position) - row * column
    return -covariance / (share.sum(axis=2) @ position**2 - row**2)       # row numbers increase downwards


def widths(images: np.ndarray) -> np.ndarray:
    """Mean width of the strokes in pixels, (N, 784) -> (N,): a stroke of length L has an outline of 2·L."""
    padded = np.pad(images.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))
    down, right = np.diff(padded, axis=1)[:, :, :-1], np.diff(padded, axis=2)[:, :-1]
    outline = np.sqrt(down**2 + right**2).sum(axis=(1, 2))
    return padded.sum(axis=(1, 2)) / (outline / 2)


def directions(z: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The direction along which each measurement rises, by least squares: (N, K), (N, M) -> (M, K)."""
    slopes, *_ = np.linalg.lstsq(z - z.mean(axis=0), measured - measured.mean(axis=0), rcond=None)
    return unit(slopes.T)


def without(u: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The part of u (K,) that is orthogonal to all others, of length 1."""
    v, values, _ = np.linalg.svd(np.stack(others).T, full_matrices=False)
    v = v[:, values > 1e-6 * values[0]]
    return unit(u - v @ (v.T @ u))


def unit(u: np.ndarray) -> np.ndarray:
    """u scaled to length 1 along its last axis."""
    return u / np.linalg.norm(u, axis=-1, keepdims=True)


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The correlation of each column of a with that of b: (N, M), (N, M) -> (M,)."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))


def with_component(z: np.ndarray, u: np.ndarray, value: float) -> np.ndarray:
    """z (N, K) with its component along u set to a value."""
    return (z + (value - z @ u)[:, None] * u).astype(z.dtype)


def effect(
    model: GAN, classifier: MLPClassifier, z: np.ndarray, u: np.ndarray, std: np.ndarray, reach: float
) -> np.ndarray:
    """Move codes from −reach to reach along u: |change| of slant, of width; share with the same class, (3,).

    std : of slant and width over generated digits, the unit of their changes
    """
    low, high = (model.inverse_transform(with_component(z, u, value)) for value in (-reach, reach))
    change = [(f(high) - f(low)).mean() for f in (slants, widths)] / std
    return np.abs([*change, (classifier.predict(low) == classifier.predict(high)).mean()])
