"""Twins of losses.py: the loss and its gradient in one pass over the rows, which threads share.

The sum over a row is in the dtype of the arrays, the sum over rows in float64. If a term is computed from a
difference, all terms of the row are computed first, without "reassoc", and then summed by `row_sum`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.checks import expect_logits_and_labels, expect_pair, expect_within
from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp, log1p, row_sum
from scratchgen.kernels.parts import share


def squared_error(pred: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    expect_pair("squared_error", pred, target)
    return _over_rows(_squared_error, pred, target)


def absolute_error(pred: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    expect_pair("absolute_error", pred, target)
    return _over_rows(_absolute_error, pred, target)


def bce_with_logits(logits: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    expect_pair("bce_with_logits", logits, target)
    expect_within("bce_with_logits", "target", target, 0, 1)
    return _over_rows(_bce_with_logits, logits, target)


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    labels = expect_logits_and_labels("softmax_cross_entropy", logits, labels)
    dlogits = np.empty(logits.shape, logits.dtype)
    scale = logits.dtype.type(1 / len(logits))
    labels = labels.astype(np.intp)
    loss = _sum(_softmax_cross_entropy, np.ascontiguousarray(logits), labels, scale, dlogits)
    if logits.dtype == np.float32 and not math.isfinite(loss):
        wide = np.ascontiguousarray(logits, np.float64)
        loss = _sum(_softmax_cross_entropy, wide, labels, 1 / len(wide), np.empty_like(wide))
    return loss, dlogits


def _over_rows(loop: Callable[..., Any], pred: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    rows = (len(pred), -1)
    dpred = np.empty(pred.shape, pred.dtype)
    scale = pred.dtype.type(1 / len(pred))
    loss = _sum(loop, pred.reshape(rows), target.reshape(rows), scale, dpred.reshape(rows))
    if pred.dtype == np.float32 and not math.isfinite(loss):    # a row's sum overflowed
        wide, wide_target = (a.reshape(rows).astype(np.float64) for a in (pred, target))
        loss = _sum(loop, wide, wide_target, 1 / len(pred), np.empty_like(wide))
    return loss, dpred


def _sum(
    loop: Callable[..., Any], pred: np.ndarray, target: np.ndarray, scale: Any, dpred: np.ndarray
) -> float:
    """The sum of the losses of all rows, times `scale`; writes dpred."""
    losses = np.empty(len(pred))
    share(loop, (pred, target, dpred, losses), (scale,), each=pred.shape[1])
    return float(losses.sum() * scale)


@kernel("contract", "reassoc", "nsz")
def _squared_error(pred, target, dpred, losses, scale):
    two = pred.dtype.type(2)
    for n in range(pred.shape[0]):
        row = pred.dtype.type(0)
        for d in range(pred.shape[1]):
            diff = pred[n, d] - target[n, d]
            row += diff * diff
            dpred[n, d] = two * scale * diff
        losses[n] = row


@kernel("contract", "reassoc", "nsz")
def _absolute_error(pred, target, dpred, losses, scale):
    zero = pred.dtype.type(0)
    for n in range(pred.shape[0]):
        row = pred.dtype.type(0)
        for d in range(pred.shape[1]):
            diff = pred[n, d] - target[n, d]
            row += abs(diff)
            dpred[n, d] = scale if diff > zero else (-scale if diff < zero else zero * diff)
        losses[n] = row


# Without "reassoc", which would lose the loss of a nearly certain pixel. In max(l, 0) − l·t + log(1 + e^−|l|)
# the difference is then 0 and the logarithm tiny, and (row + max(l, 0)) − l·t would round it away.
@kernel("contract")
def _bce_with_logits(logits, target, dlogits, losses, scale):
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    nll = np.empty(logits.shape[1], logits.dtype)
    for n in range(logits.shape[0]):
        for d in range(logits.shape[1]):
            x, t = logits[n, d], target[n, d]
            small = exp(-abs(x))
            nll[d] = (max(x, zero) - x * t) + log1p(small)
            sig = (one if x >= zero else small) / (one + small)
            dlogits[n, d] = scale * (sig - t)
        losses[n] = row_sum(nll)


@kernel("contract")
def _softmax_cross_entropy(logits, labels, dlogits, losses, scale):
    for n in range(logits.shape[0]):
        highest = logits[n, 0]
        for k in range(1, logits.shape[1]):
            highest = max(highest, logits[n, k])
        for k in range(logits.shape[1]):
            dlogits[n, k] = exp(logits[n, k] - highest)
        label = labels[n]
        if logits[n, label] == highest:
            # log(1 + rest) keeps its digits if the label is nearly certain and the rest tiny.
            largest = dlogits[n, label]                 # e⁰ = 1, or a NaN for an infinite logit
            dlogits[n, label] = 0
            rest = row_sum(dlogits[n])
            dlogits[n, label] = largest
            norm = rest + largest
            losses[n] = np.log1p(rest) - (logits[n, label] - highest)
        else:
            norm = row_sum(dlogits[n])
            losses[n] = np.log(norm) - (logits[n, label] - highest)
        for k in range(logits.shape[1]):
            dlogits[n, k] *= scale / norm
        dlogits[n, label] -= scale
