"""Losses. Each returns the loss, a scalar, and its gradient.

Every loss is summed over the features of an example and averaged over the batch (axis 0), and its gradient is
the gradient of exactly that, so nothing else needs to be divided by N. Each is called as
``loss, dx = f(pred, target)``; the loss is a Python float, dx has the shape and dtype of pred.

All raise TypeError for arrays that are not float32 or float64, ValueError for shapes that do not match and
for an empty batch. Derived in docs/backprop.md.
"""

from __future__ import annotations

import numpy as np

from scratchgen.checks import Array, expect_logits_and_labels, expect_number, expect_pair, expect_within
from scratchgen.distributions import Categorical
from scratchgen.kernels import compiled

__all__ = [
    "absolute_error",
    "bce_with_logits",
    "smoothed_cross_entropy",
    "softmax_cross_entropy",
    "squared_error",
]


@compiled
def squared_error(pred: Array, target: Array) -> tuple[float, Array]:
    """Squared error. pred, target (N, …).

    (SE.1)  loss  = 1/N · Σₙ Σ_d (pred − target)²
    (SE.2)  dpred = 2/N · (pred − target)
    """
    expect_pair("squared_error", pred, target)
    diff = pred - target                                                        # (N, …)
    loss = np.square(diff, dtype=np.float64).sum() / len(pred)                  # (SE.1)
    dpred = 2 / len(pred) * diff                                                # (SE.2)
    return float(loss), dpred


@compiled
def absolute_error(pred: Array, target: Array) -> tuple[float, Array]:
    """Absolute error. pred, target (N, …).

    (AE1.1)  loss  = 1/N · Σₙ Σ_d |pred − target|
    (AE1.2)  dpred = 1/N · sign(pred − target)            the slope at 0 is taken as 0
    """
    expect_pair("absolute_error", pred, target)
    diff = pred - target                                                        # (N, …)
    loss = np.abs(diff).sum(dtype=np.float64) / len(pred)                       # (AE1.1)
    dpred = 1 / len(pred) * np.sign(diff)                                       # (AE1.2)
    return float(loss), dpred


@compiled
def bce_with_logits(logits: Array, target: Array) -> tuple[float, Array]:
    """Binary cross-entropy of Bernoulli logits, in nats. logits (N, …), target (N, …) in [0, 1].

    (BCE.1)  loss    = 1/N · Σₙ Σ_d [ max(l, 0) − l·t + log(1 + e^−|l|) ]   = −t·log σ(l) − (1−t)·log(1−σ(l))
    (BCE.2)  dlogits = 1/N · (σ(logits) − target)

    The loss is the negative log-likelihood of a Bernoulli distribution only if all targets are 0 or 1. Also
    raises ValueError for targets outside [0, 1], for which the loss has no minimum.
    """
    expect_pair("bce_with_logits", logits, target)
    expect_within("bce_with_logits", "target", target, 0, 1)
    small = np.exp(-np.abs(logits))                                             # at most 1: no overflow
    nll = np.maximum(logits, 0) - logits * target + np.log1p(small)             # (BCE.1)
    sig = np.where(logits < 0, small, 1) / (1 + small)
    dlogits = 1 / len(logits) * (sig - target)                                  # (BCE.2)
    return float(nll.sum(dtype=np.float64) / len(logits)), dlogits


@compiled
def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Cross-entropy of softmax probabilities, in nats. logits (N, K), labels (N,) integers in [0, K).

    (CE.1)  loss    = −1/N · Σₙ log pₙ[labelₙ],  p = softmax(logits)
    (CE.2)  dlogits = 1/N · (p − onehot(labels))

    Also raises ValueError for labels out of range, TypeError for labels that are not integers.
    """
    labels = expect_logits_and_labels("softmax_cross_entropy", logits, labels)
    n = np.arange(len(labels))
    log_p = Categorical.log_probabilities(logits)                               # (N, K)
    loss = -log_p[n, labels].sum(dtype=np.float64) / len(logits)                # (CE.1)
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    dlogits *= 1 / len(logits)                                                  # (CE.2)
    return float(loss), dlogits


def smoothed_cross_entropy(logits: Array, labels: Array, smoothing: float = 0.1) -> tuple[float, Array]:
    """Cross-entropy with label smoothing, in nats. logits (N, K), labels (N,) integers in [0, K).

    A share ε of each label's probability is divided equally among all K classes:

    (LS.1)  q       = (1 − ε)·onehot(labels) + ε/K
    (LS.2)  loss    = −1/N · Σₙ Σ_k q·log p,  p = softmax(logits)
    (LS.3)  dlogits = 1/N · (p − q)

    With ε = 0, it is softmax_cross_entropy. Otherwise the loss has a minimum at finite logits, so the
    probabilities do not approach 0 and 1. Source: Szegedy et al. 2016, section 7. Derived in
    docs/translation.md.

    smoothing : ε, in [0, 1)

    Also raises ValueError for labels or a smoothing out of range, TypeError for labels that are not integers.
    """
    expect_number("smoothed_cross_entropy", "smoothing", smoothing, least=0, below=1)
    labels = expect_logits_and_labels("smoothed_cross_entropy", logits, labels)
    n = np.arange(len(labels))
    log_p = Categorical.log_probabilities(logits)                               # (N, K)
    q = np.full_like(logits, smoothing / logits.shape[1])
    q[n, labels] += 1 - smoothing                                               # (LS.1)
    terms = q * np.where(q > 0, log_p, 0)                                       # 0·log 0 is 0
    loss = -terms.sum(dtype=np.float64) / len(logits)                           # (LS.2)
    dlogits = 1 / len(logits) * (np.exp(log_p) - q)                             # (LS.3)
    return float(loss), dlogits
