"""Classifiers: P(y | x) learnt directly, with no word about P(x)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.layers import Activation, SiLU
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.base import Model, expect_examples
from scratchgen.models.networks import dense, in_batches


class MLPClassifier(Model):
    """Linear layers with an activation between any two, and softmax cross-entropy on the last one's logits.

    (CE.1)  loss    = −1/N · Σₙ log pₙ[yₙ],  p = softmax(logits)       x (N, D), y (N,), logits (N, C)
    (CE.2)  dlogits = 1/N · (p − onehot(y))

    Labels are 0 … C − 1, with C the last of `sizes`. Derived in docs/backprop.md.
    Raises ValueError for fewer than two sizes.
    """

    def __init__(
        self,
        sizes: Sequence[int] = (784, 64, 10),
        *,
        rng: np.random.Generator,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
    ):
        self.net = dense(sizes, rng=rng, activation=activation, dtype=dtype)

    def loss(self, x, y=None, *, rng=None, training=False):
        logits, net = self.net.forward(x, training)             # (N, C)
        loss, dlogits = softmax_cross_entropy(logits, y)        # (CE.1), (CE.2)
        return loss, (net, dlogits)

    def backward(self, cache):
        net, dlogits = cache
        self.net.backward(dlogits, net, input_grad=False)
        return {"dlogits": dlogits}

    def trainer(self, X, y=None, **run):
        """Set up the run that `fit` makes, on X (N, D) and labels y (N,).

        Raises ValueError for labels that are missing or out of range.
        """
        expect_examples("MLPClassifier.fit", X)
        if y is None:
            raise ValueError("MLPClassifier.fit expected labels y, got none")
        return super().trainer(X, y, **run)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """P(y | x) for every class: (N, D) -> (N, C), rows that sum to 1."""
        logits = self._logits(X, "predict_proba")
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each example: (N, D) -> (N,) int64."""
        return self._logits(X, "predict").argmax(axis=1)

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """The share of X, (N, D), whose predicted class is y, (N,)."""
        y = np.asarray(y)
        if y.shape != (len(X),):
            raise ValueError(f"MLPClassifier.score expected {len(X)} labels, got shape {y.shape}")
        return float((self.predict(X) == y).mean())

    def _logits(self, X, verb):
        expect_examples(f"MLPClassifier.{verb}", X)
        return in_batches(lambda x: self.net.forward(x)[0], X)

    def _because(self, verb):
        return ": it models P(y | x), and says nothing of how probable an x is"
