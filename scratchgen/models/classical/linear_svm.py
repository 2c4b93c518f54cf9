"""The linear support vector machine: a boundary with a margin, and no probability anywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.checks import expect_examples, expect_labels, expect_rows
from scratchgen.layers.base import Parameter, float_dtype
from scratchgen.models.base import Model
from scratchgen.models.classical.base import Classifier, expect_labelled


class LinearSVM(Classifier, Model):
    """Hinge loss on linear scores, each class against the rest.

    (SVM.1)  scores = x·W + b,   margins = t·scores                    t = +1 in the column of y, else −1
    (SVM.2)  loss = 1/N · Σₙ Σ_c max(0, 1 − margins) + ½·l2·‖W‖²
    (SVM.3)  dscores = −1/N · t where margins < 1, else 0              a subgradient: at the kink 0 is taken
    (SVM.4)  dW = xᵀ·dscores + l2·W,   db = Σₙ dscoresₙ

    An example beyond its margin pulls at nothing: the boundary rests on the others, the support vectors.
    `fit` is Model.fit: Adam on batches; let lr fall to zero (Cosine), as a subgradient doesn't.
    scikit-learn's C is 1 / (l2·N). x (N, D), W (D, C), b (C,). Derived in docs/discriminative.md.

    Raises ValueError for fewer than one feature or two classes, and for a negative l2.
    """

    def __init__(self, features: int = 784, classes: int = 10, *, l2: float = 1e-4, dtype: Any = np.float32):
        if features < 1 or classes < 2:
            raise ValueError(
                f"LinearSVM expected at least one feature and two classes, got {features}, {classes}"
            )
        if not (math.isfinite(l2) and l2 >= 0):
            raise ValueError(f"LinearSVM expected a finite l2 >= 0, got {l2}")
        dtype = float_dtype("LinearSVM", dtype)
        self.l2 = float(l2)
        self.weight = Parameter(np.zeros((features, classes), dtype))
        self.bias = Parameter(np.zeros(classes, dtype))

    def loss(self, x, y=None, *, rng=None, training=False):
        """Return (loss, cache) for x (N, D) and labels y (N,)."""
        expect_rows(self._who("loss"), x, features=len(self.weight.value), dtype=self.dtype)
        y = expect_labels("LinearSVM.loss", y, len(x), self.bias.size)
        t = np.full((len(x), self.bias.size), -1, x.dtype)
        t[np.arange(len(x)), y] = 1
        margins = t * (x @ self.weight.value + self.bias.value)  # (SVM.1)  (N, C)
        hinge = float(np.maximum(0, 1 - margins).sum()) / len(x)
        penalty = 0.5 * self.l2 * float((self.weight.value**2).sum())
        return hinge + penalty, (x, t, margins)                 # (SVM.2)

    def backward(self, cache):
        """Add the parameters' gradients; return dscores (N, C)."""
        x, t, margins = cache
        dscores = np.where(margins < 1, -t / len(x), 0).astype(x.dtype)         # (SVM.3)
        if self.trainable:
            self.weight.grad += x.T @ dscores + self.l2 * self.weight.value     # (SVM.4)
            self.bias.grad += dscores.sum(axis=0)
        return {"dscores": dscores}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and labels y (N,), with an example of every class."""
        features, classes = self.weight.shape
        return X, expect_labelled(self._who("fit"), X, y, features=features, classes=classes)[0]

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """The scores x·W + b, (N, C): how far on which side, and no logits of any probability."""
        expect_examples("LinearSVM.decision_function", X, features=len(self.weight.value))
        return X @ self.weight.value + self.bias.value

    def predict(self, X):
        """The class with the largest score, (N,)."""
        return self.decision_function(X).argmax(axis=1)

    def _because(self, verb):
        if verb == "predict_proba":
            return ": a margin is no probability; predict and decision_function are what it has"
        return super()._because(verb)
