"""Classifiers: P(y | x) learnt directly, with no word about P(x)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.checks import expect_examples, expect_labels
from scratchgen.layers import Activation, Conv2d, Flatten, Linear, MaxPool2d, Reshape, Sequential, SiLU
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.base import Model
from scratchgen.models.networks import dense, in_batches


class NetClassifier(Model):
    """What both classifiers below share: a net whose last layer gives logits, and softmax cross-entropy.

    (CE.1)  loss    = −1/N · Σₙ log pₙ[yₙ],  p = softmax(logits)       x (N, D), y (N,), logits (N, C)
    (CE.2)  dlogits = 1/N · (p − onehot(y))

    Labels are 0 … C − 1. Derived in docs/backprop.md.
    """

    net: Sequential

    def loss(self, x, y=None, *, rng=None, training=False):
        logits, net = self.net.forward(x, training)             # (N, C)
        loss, dlogits = softmax_cross_entropy(logits, y)        # (CE.1), (CE.2)
        return loss, (net, dlogits)

    def backward(self, cache):
        net, dlogits = cache
        self.net.backward(dlogits, net, input_grad=False)
        return {"dlogits": dlogits}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and labels y (N,)."""
        expect_examples(self._who("fit"), X)
        return X, expect_labels(self._who("fit"), y, len(X))

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
        y = expect_labels(f"{type(self).__name__}.score", y, len(X))
        return float((self.predict(X) == y).mean())

    def features(self, X: np.ndarray) -> np.ndarray:
        """What the last layer looks at, its input: (N, D) -> (N, F)."""
        expect_examples(f"{type(self).__name__}.features", X)
        body = Sequential(*self.net.layers[:-1])
        return in_batches(lambda x: body.forward(x)[0], X)

    def _logits(self, X, verb):
        expect_examples(f"{type(self).__name__}.{verb}", X)
        return in_batches(lambda x: self.net.forward(x)[0], X)

    def _because(self, verb):
        return ": it models P(y | x), and says nothing of how probable an x is"


class MLPClassifier(NetClassifier):
    """Linear layers with an activation between any two, and softmax cross-entropy on the last one's logits.

    sizes : D, the widths between, C. Loss and gradient are (CE.1) and (CE.2).
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


class ConvClassifier(NetClassifier):
    """Three 3×3 convolutions and two linear layers, for 28×28 images; loss and gradient as (CE.1), (CE.2).

    784 → 28×28×1 → 28×28×C1 → pool, 14×14×C1 → 14×14×C2 → pool, 7×7×C2 → 7×7×C3 → hidden → classes, with
    SiLU after every convolution (there behind the pooling, on a quarter of the pixels) and after `hidden`.
    """

    def __init__(
        self,
        channels: tuple[int, int, int] = (16, 32, 64),
        hidden: int = 128,
        classes: int = 10,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
    ):
        c1, c2, c3 = channels
        kind = {"rng": rng, "dtype": dtype}
        self.net = Sequential(
            Reshape(28, 28, 1),
            Conv2d(1, c1, 3, padding=1, **kind),
            MaxPool2d(2),
            SiLU(),
            Conv2d(c1, c2, 3, padding=1, **kind),
            MaxPool2d(2),
            SiLU(),
            Conv2d(c2, c3, 3, padding=1, **kind),
            SiLU(),
            Flatten(),
            Linear(7 * 7 * c3, hidden, **kind),
            SiLU(),
            Linear(hidden, classes, **kind),
        )
