"""The linear support vector machine: a linear boundary with a margin, without probabilities."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import expect_labels, expect_rows, one_hot
from scratchgen.models.classical.linear import LinearClassifier
from scratchgen.models.examples import expect_weights


class SVMCache(NamedTuple):
    """The values that backward needs."""

    x: np.ndarray           # (N, D)
    t: np.ndarray           # (N, C), ±1
    margins: np.ndarray     # (N, C)
    weights: np.ndarray | None      # (N,) of the examples; None if all are 1


class LinearSVM(LinearClassifier):
    """A classifier with hinge loss on linear scores, one class against the others.

    (SVM.1)  scores = x·W + b,   margins = t·scores                    t = +1 in the column of y, else −1
    (SVM.2)  loss = 1/N · Σₙ Σ_c max(0, 1 − margins) + ½·l2·‖W‖²
    (SVM.3)  dscores = −1/N · t where margins < 1, else 0              a subgradient: 0 at the kink
    (SVM.4)  dW = xᵀ·dscores + l2·W,   db = Σₙ dscoresₙ

    Weights of the examples are used as in (LR.4). An example beyond its margin has no gradient, so the
    boundary depends only on the other examples, the support vectors. `fit` is Model.fit: Adam on batches. Use
    a schedule that lowers lr to zero, such as Cosine, because a subgradient does not become zero at the
    minimum. scikit-learn's C is 1 / (l2·N). Derived in docs/discriminative.md.

    features, classes : D and C; the first `fit` sets those that are None, from its data
    l2 : weight of the penalty on W
    weight, bias : Parameters, zero at the start; they exist once D and C are known

    Raises ValueError for fewer than one feature or two classes, and for a negative l2.
    """

    def __init__(
        self,
        features: int | None = None,
        classes: int | None = None,
        *,
        l2: float = 1e-4,
        dtype: Any = np.float32,
    ):
        super().__init__(features, classes, l2=l2, dtype=dtype)

    def loss(
        self,
        x: np.ndarray,
        y: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        *,
        rng: np.random.Generator | int | None = None,
        training: bool = False,
    ) -> tuple[float, SVMCache]:
        """Return (loss, cache) for x (N, D) and labels y (N,), and for weights of the examples (N,)."""
        self._expect_fitted("weight")
        features, classes = self.weight.shape
        expect_rows(self._who("loss"), x, features=features, dtype=self.weight.dtype)
        y = expect_labels(self._who("loss"), y, len(x), classes)
        t = 2 * one_hot(y, classes, x.dtype) - 1
        margins = t * (x @ self.weight.value + self.bias.value)  # (SVM.1)  (N, C)
        hinge = np.maximum(0, 1 - margins)
        weights = None
        if sample_weight is not None:
            weights = expect_weights(self._who("loss"), sample_weight, len(x)).astype(x.dtype)
            hinge *= weights[:, None]                           # (LR.4)
        return float(hinge.sum()) / len(x) + self._penalty(), SVMCache(x, t, margins, weights)  # (SVM.2)

    def backward(self, cache: SVMCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dscores (N, C)."""
        x, t, margins, weights = cache
        dscores = np.where(margins < 1, -t / len(x), 0).astype(x.dtype)         # (SVM.3)
        if weights is not None:
            dscores *= weights[:, None]                         # (LR.4)
        if self.trainable:
            self.weight.grad += x.T @ dscores + self.l2 * self.weight.value     # (SVM.4)
            self.bias.grad += dscores.sum(axis=0)
        return {"dscores": dscores}

    def _because(self, method: str) -> str:
        if method == "predict_proba":
            return ": margins are not probabilities. Use predict or decision_function"
        return super()._because(method)
