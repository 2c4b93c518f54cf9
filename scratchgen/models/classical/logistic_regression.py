"""Logistic regression: a linear boundary by maximum likelihood of the labels."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import expect_rows
from scratchgen.distributions import Categorical
from scratchgen.models.arguments import count, finite, flag
from scratchgen.models.classical.base import NotConverged, expect_weighted, weighted_cross_entropy
from scratchgen.models.classical.linear import LinearClassifier
from scratchgen.training.earlier import level_of_caller
from scratchgen.training.lbfgs import minimise


class LogisticCache(NamedTuple):
    """The values that backward needs."""

    x: np.ndarray           # (N, D)
    dlogits: np.ndarray     # (N, C)


class LogisticRegression(LinearClassifier):
    """The softmax of linear scores is P(y | x); the distribution of x is not modelled.

    (LR.1)  P(y | x) = softmax(x·W + b)[y]                             x (N, D), W (D, C), b (C,)
    (LR.2)  loss = −1/N · Σₙ log P(yₙ | xₙ) + ½·l2·‖W‖²
    (LR.3)  dW = xᵀ·dlogits + l2·W,   db = Σₙ dlogitsₙ,   dlogits = (P − onehot(y)) / N
    (LR.4)  with weights wₙ of the examples, whose mean is 1, wₙ/N takes the place of 1/N in both

    The loss is convex, so `fit` finds its minimum, by L-BFGS on all examples. If the classes can be separated
    and l2 = 0, the minimum is at infinity, and `fit` ends when the gradient is below `tolerance`.
    scikit-learn's C is 1 / (l2·N). Derived in docs/discriminative.md.

    features, classes : D and C; the first `fit` sets those that are None, from its data
    l2 : weight of the penalty on W
    weight, bias : Parameters, zero at the start; they exist once D and C are known
    converged_, iterations_ : whether `fit` reached the tolerance, and the number of iterations

    Raises ValueError for fewer than one feature or two classes, and for a negative l2.
    """

    def __init__(
        self,
        features: int | None = None,
        classes: int | None = None,
        *,
        l2: float = 0.0,
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
    ) -> tuple[float, LogisticCache]:
        """Return (loss, cache) for x (N, D) and labels y (N,), and for weights of the examples (N,)."""
        self._expect_fitted("weight")
        expect_rows(self._who("loss"), x, features=len(self.weight.value), dtype=self.weight.dtype)
        logits = x @ self.weight.value + self.bias.value        # (LR.1)  (N, C)
        nll, dlogits = weighted_cross_entropy(self._who("loss"), logits, y, sample_weight)
        return nll + self._penalty(), LogisticCache(x, dlogits)  # (LR.2)

    def backward(self, cache: LogisticCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dlogits (N, C)."""
        x, dlogits = cache
        if self.trainable:
            self.weight.grad += x.T @ dlogits + self.l2 * self.weight.value     # (LR.3)
            self.bias.grad += dlogits.sum(axis=0)
        return {"dlogits": dlogits}

    def fit(  # type: ignore[override]  # L-BFGS takes other settings than Adam
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        sample_weight: Any = None,
        tolerance: float = 1e-5,
        iterations: int = 2000,
        warm_start: bool = False,
    ) -> Self:
        """Minimise the loss on X (N, D) and labels y (N,) with L-BFGS, starting from zero.

        sample_weight : (N,), weights >= 0; an example of weight 2 counts as two equal examples (LR.4)
        tolerance : the largest entry of the gradient at which the fit ends. The gradient has the units of X:
            if all entries of X are below 10 times the tolerance, `fit` warns with NotConverged
        iterations : the largest number of iterations; if it is not enough, `fit` warns with NotConverged
        warm_start : whether to start from the current weights instead

        Raises ValueError for labels that are missing or out of range and for a class without an example,
        TypeError for labels that are not integers. `trainer` trains with Adam on batches instead.
        """
        X, y = self.check_data(X, y)
        who = self._who("fit")
        X, y, weights, _ = expect_weighted(who, X, y, sample_weight, classes=len(self.bias.value))
        weights = None if weights is None else weights / weights.mean()         # (LR.4)
        finite(who, "tolerance", tolerance, least=0)
        count(who, "iterations", iterations)
        flag(who, "warm_start", warm_start)

        def set_parameters(w: np.ndarray) -> None:
            self.weight.value[...] = w[: self.weight.size].reshape(self.weight.shape)
            self.bias.value[...] = w[self.weight.size :]

        def loss_and_grad(w: np.ndarray) -> tuple[float, np.ndarray]:
            set_parameters(w)
            self.zero_grad()
            loss, cache = self.loss(X, y, sample_weight=weights)
            self.backward(cache)
            return loss, np.concatenate([self.weight.grad.ravel(), self.bias.grad])

        start = np.concatenate([self.weight.value.ravel(), self.bias.value])
        start = start if warm_start else np.zeros_like(start)
        found = minimise(loss_and_grad, start, tolerance=tolerance, iterations=iterations)
        set_parameters(found.w)
        self.converged_, self.iterations_ = found.converged, found.iterations
        if not found.converged:
            slope = float(np.abs(loss_and_grad(found.w)[1]).max())
            warnings.warn(
                f"LogisticRegression.fit ended after {found.iterations} iterations with a gradient of "
                f"{slope:.2g}, above the tolerance of {tolerance:g}: allow more iterations, standardise X, "
                "or set an l2",
                NotConverged,
                stacklevel=level_of_caller(),
            )
        elif tolerance > 0.1 * (largest := float(max(X.max(), -X.min()))) > 0:
            warnings.warn(
                f"LogisticRegression.fit ended after {found.iterations} iterations, maybe far from the "
                f"optimum: X has no entry above {largest:.2g}, which makes all gradients small: standardise "
                f"X, or set a tolerance far below {tolerance:g}",
                NotConverged,
                stacklevel=level_of_caller(),
            )
        return self

    def _probabilities(self, method: str, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return Categorical.probabilities(self._scores(method, X))               # (LR.1)
