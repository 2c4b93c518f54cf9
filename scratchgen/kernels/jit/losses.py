"""Losses with their gradient in one pass; the formulas stand in kernels/reference/losses.py."""

import numpy as np

from scratchgen.kernels.jit.compile import kernel
from scratchgen.kernels.jit.mathematics import exp, log1p


@kernel
def squared_error(pred, target, scale, dpred):
    total = 0.0
    two = pred.dtype.type(2)
    for n in range(pred.shape[0]):
        row = pred.dtype.type(0)
        for d in range(pred.shape[1]):
            diff = pred[n, d] - target[n, d]
            row += diff * diff
            dpred[n, d] = two * scale * diff
        total += row
    return total * scale


@kernel
def absolute_error(pred, target, scale, dpred):
    total = 0.0
    zero = pred.dtype.type(0)
    for n in range(pred.shape[0]):
        row = pred.dtype.type(0)
        for d in range(pred.shape[1]):
            diff = pred[n, d] - target[n, d]
            row += abs(diff)
            dpred[n, d] = scale if diff > zero else (-scale if diff < zero else zero * diff)
        total += row
    return total * scale


@kernel
def bce_with_logits(logits, target, scale, dlogits):
    total = 0.0
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    for n in range(logits.shape[0]):
        row = logits.dtype.type(0)
        for d in range(logits.shape[1]):
            x, t = logits[n, d], target[n, d]
            small = exp(-abs(x))
            row += max(x, zero) - x * t + log1p(small)
            sig = (one if x >= zero else small) / (one + small)
            dlogits[n, d] = scale * (sig - t)
        total += row
    return total * scale


@kernel
def softmax_cross_entropy(logits, labels, scale, dlogits):
    total = 0.0
    one = logits.dtype.type(1)
    for n in range(logits.shape[0]):
        highest = logits[n, 0]
        for k in range(1, logits.shape[1]):
            highest = max(highest, logits[n, k])
        norm = logits.dtype.type(0)
        for k in range(logits.shape[1]):
            dlogits[n, k] = exp(logits[n, k] - highest)
            norm += dlogits[n, k]
        label = labels[n]
        total += np.log(norm) - (logits[n, label] - highest)
        for k in range(logits.shape[1]):
            dlogits[n, k] *= scale / norm
        dlogits[n, label] -= scale * one
    return total * scale
