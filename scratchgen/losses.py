"""Losses: a scalar, and the gradient of exactly that scalar.

Every loss is summed over the features of an example and averaged over the batch (axis 0), and so is its
gradient: nothing else needs dividing by N. Each is called as ``loss, dx = f(pred, target)``; the loss is a
Python float, dx has the shape and dtype of pred. The loops live in kernels/*/losses.py.

All raise TypeError for what is no float32 or float64 array, ValueError for shapes that do not fit and for an
empty batch. Derived in docs/backprop.md.
"""

from __future__ import annotations

import numpy as np

from scratchgen import kernels
from scratchgen.checks import expect_labels
from scratchgen.layers.base import FLOATS

__all__ = ["absolute_error", "bce_with_logits", "softmax_cross_entropy", "squared_error"]


def squared_error(pred: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Squared error. pred, target (N, …).

    (SE.1)  loss  = 1/N · Σₙ Σ_d (pred − target)²
    (SE.2)  dpred = 2/N · (pred − target)
    """
    return _rowwise("squared_error", kernels.losses.squared_error, pred, target)  # (SE.1, SE.2)


def absolute_error(pred: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Absolute error. pred, target (N, …).

    (AE1.1)  loss  = 1/N · Σₙ Σ_d |pred − target|
    (AE1.2)  dpred = 1/N · sign(pred − target)            at the kink the slope 0 is taken
    """
    return _rowwise("absolute_error", kernels.losses.absolute_error, pred, target)  # (AE1.1, AE1.2)


def bce_with_logits(logits: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Binary cross-entropy of Bernoulli logits, in nats. logits (N, …), target (N, …) in [0, 1].

    (BCE.1)  loss    = 1/N · Σₙ Σ_d [ max(l, 0) − l·t + log(1 + e^−|l|) ]   = −t·log σ(l) − (1−t)·log(1−σ(l))
    (BCE.2)  dlogits = 1/N · (σ(logits) − target)

    It is the likelihood of a Bernoulli only where the targets are 0 or 1.
    """
    return _rowwise("bce_with_logits", kernels.losses.bce_with_logits, logits, target)  # (BCE.1, BCE.2)


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Cross-entropy of softmax probabilities, in nats. logits (N, K), labels (N,) integers in [0, K).

    (CE.1)  loss    = −1/N · Σₙ log pₙ[labelₙ],  p = softmax(logits)
    (CE.2)  dlogits = 1/N · (p − onehot(labels))

    Raises ValueError also for labels out of range, TypeError for labels that are no integers.
    """
    _expect_float("softmax_cross_entropy", logits)
    if logits.ndim != 2 or logits.shape[0] == 0:
        raise ValueError(f"softmax_cross_entropy expected logits (N, K) with N ≥ 1, got {logits.shape}")
    labels = expect_labels("softmax_cross_entropy", labels, *logits.shape)
    dlogits = np.empty(logits.shape, logits.dtype)
    scale = logits.dtype.type(1 / len(logits))
    logits = np.ascontiguousarray(logits)
    loss = kernels.losses.softmax_cross_entropy(logits, labels, scale, dlogits)  # (CE.1, CE.2)
    return float(loss), dlogits


def _rowwise(name, kernel, pred, target):
    """Run a loss kernel over (N, D) views of pred and target."""
    _expect_float(name, pred)
    if not isinstance(target, np.ndarray) or target.dtype != pred.dtype:
        got = target.dtype if isinstance(target, np.ndarray) else type(target).__name__
        raise TypeError(f"{name} expected a target of dtype {pred.dtype} like the prediction's, got {got}")
    if pred.shape != target.shape:
        raise ValueError(f"{name} expected two arrays of one shape, got {pred.shape} and {target.shape}")
    if pred.ndim < 1 or len(pred) == 0:
        raise ValueError(f"{name} expected a batch of at least one example, got shape {pred.shape}")
    rows = (len(pred), -1)
    dpred = np.empty(pred.shape, pred.dtype)
    scale = pred.dtype.type(1 / len(pred))
    loss = kernel(pred.reshape(rows), target.reshape(rows), scale, dpred.reshape(rows))
    return float(loss), dpred


def _expect_float(name, pred):
    if not isinstance(pred, np.ndarray) or pred.dtype not in FLOATS:
        got = pred.dtype if isinstance(pred, np.ndarray) else type(pred).__name__
        raise TypeError(f"{name} expected an array of float32 or float64, got {got}")
