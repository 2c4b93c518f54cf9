"""Logistic regression: the straight boundary, learnt directly."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_examples, expect_rows
from scratchgen.layers.base import Parameter, float_dtype
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.base import Model
from scratchgen.models.classical.base import Classifier, expect_labelled, log_sum_exp
from scratchgen.training.lbfgs import minimise


class LogisticRegression(Classifier, Model):
    """Softmax of linear scores: P(y | x) with no word about p(x).

    (LR.1)  P(y | x) = softmax(x·W + b)[y]                             x (N, D), W (D, C), b (C,)
    (LR.2)  loss = −1/N · Σₙ log P(yₙ | xₙ) + ½·l2·‖W‖²
    (LR.3)  dW = xᵀ·dlogits + l2·W,   db = Σₙ dlogitsₙ,   dlogits = (P − onehot(y)) / N

    The loss is convex, so `fit` goes to its one minimum, by L-BFGS on all examples. Where classes can be
    separated and l2 = 0, the minimum lies at infinity, and `fit` ends where the slope is below `tolerance`.
    scikit-learn's C is 1 / (l2·N). Derived in docs/discriminative.md.

    weight, bias : Parameters, zero at the start
    l2 : weight of the penalty on W, the bias left out
    converged_, iterations_ : how `fit` ended

    Raises ValueError for fewer than one feature or two classes, and for a negative l2.
    """

    def __init__(self, features: int = 784, classes: int = 10, *, l2: float = 0.0, dtype: Any = np.float32):
        if features < 1 or classes < 2:
            raise ValueError(
                f"LogisticRegression expected at least one feature and two classes, got {features}, {classes}"
            )
        if not (math.isfinite(l2) and l2 >= 0):
            raise ValueError(f"LogisticRegression expected a finite l2 >= 0, got {l2}")
        dtype = float_dtype("LogisticRegression", dtype)
        self.l2 = float(l2)
        self.weight = Parameter(np.zeros((features, classes), dtype))
        self.bias = Parameter(np.zeros(classes, dtype))

    def loss(self, x, y=None, *, rng=None, training=False):
        """Return (loss, cache) for x (N, D) and labels y (N,)."""
        expect_rows(self._who("loss"), x, features=len(self.weight.value), dtype=self.dtype)
        logits = x @ self.weight.value + self.bias.value        # (LR.1)  (N, C)
        nll, dlogits = softmax_cross_entropy(logits, y)
        penalty = 0.5 * self.l2 * float((self.weight.value**2).sum())
        return nll + penalty, (x, dlogits)                      # (LR.2)

    def backward(self, cache):
        """Add the parameters' gradients; return dlogits (N, C)."""
        x, dlogits = cache
        if self.trainable:
            self.weight.grad += x.T @ dlogits + self.l2 * self.weight.value     # (LR.3)
            self.bias.grad += dlogits.sum(axis=0)
        return {"dlogits": dlogits}

    def fit(  # type: ignore[override]  # L-BFGS takes other settings than Adam
        self, X: np.ndarray, y: Any = None, *, tolerance: float = 1e-5, iterations: int = 2000
    ) -> Self:
        """Go to the minimum of the loss on X (N, D), y (N,), from the weights there are.

        tolerance : the largest slope that counts as zero
        Raises ValueError for labels that are missing or out of range and for a class without an example,
        TypeError for labels that are no integers.
        """
        X, y = self.check_data(X, y)

        def put(w):
            self.weight.value[...] = w[: self.weight.size].reshape(self.weight.shape)
            self.bias.value[...] = w[self.weight.size :]

        def loss_and_grad(w):
            put(w)
            self.zero_grad()
            loss, cache = self.loss(X, y)
            self.backward(cache)
            return loss, np.concatenate([self.weight.grad.ravel(), self.bias.grad])

        start = np.concatenate([self.weight.value.ravel(), self.bias.value])
        found = minimise(loss_and_grad, start, tolerance=tolerance, iterations=iterations)
        put(found.w)
        self.converged_, self.iterations_ = found.converged, found.iterations
        return self

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and labels y (N,), with an example of every class."""
        features, classes = self.weight.shape
        return X, expect_labelled(self._who("fit"), X, y, features=features, classes=classes)[0]

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """The logits x·W + b, (N, C)."""
        expect_examples("LogisticRegression.decision_function", X, features=len(self.weight.value))
        return X @ self.weight.value + self.bias.value

    def predict_proba(self, X):
        logits = self.decision_function(X)
        return np.exp(logits - log_sum_exp(logits)[:, None])    # (LR.1)
