"""Losses and the gradient of exactly that loss, in plain NumPy.

Arrays are (N, D); `scale` is 1/N, so a loss is summed over features and averaged over the batch. The
gradient is written into the last argument, the loss returned.
"""

import numpy as np

from scratchgen.kernels.reference.activations import sigmoid_forward


def squared_error(pred, target, scale, dpred):
    diff = pred - target
    dpred[:] = 2 * scale * diff  # (SE.2)
    return float((diff**2).sum(axis=1).sum(dtype=np.float64) * scale)  # (SE.1)


def absolute_error(pred, target, scale, dpred):
    diff = pred - target
    dpred[:] = scale * np.sign(diff)  # (AE1.2)
    return float(np.abs(diff).sum(axis=1).sum(dtype=np.float64) * scale)  # (AE1.1)


def bce_with_logits(logits, target, scale, dlogits):
    nll = np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))  # (BCE.1)
    sigmoid_forward(logits, dlogits)
    dlogits -= target  # (BCE.2)
    dlogits *= scale
    return float(nll.sum(axis=1).sum(dtype=np.float64) * scale)


def softmax_cross_entropy(logits, labels, scale, dlogits):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_norm = np.log(np.exp(shifted).sum(axis=1))
    nll = log_norm - shifted[rows, labels]  # (CE.1)
    dlogits[:] = np.exp(shifted - log_norm[:, None]) * scale
    dlogits[rows, labels] -= scale  # (CE.2)
    return float(nll.sum(dtype=np.float64) * scale)
