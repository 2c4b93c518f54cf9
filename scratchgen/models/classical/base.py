"""What the classifiers share: labels at the door, and the verbs that follow from log p(x, y)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import expect_examples, expect_labels
from scratchgen.models.base import Estimator


class Classifier(Estimator):
    """A model that predicts labels 0 … C − 1; a subclass says how, in `predict_proba`."""

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """P(y | x) for every class: (N, D) -> (N, C), rows that sum to 1."""
        raise TypeError(f"{type(self).__name__} gives no probabilities{self._because('predict_proba')}")

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each example: (N, D) -> (N,); of two that tie, the smaller label."""
        return self.predict_proba(X).argmax(axis=1)

    def score(self, X: np.ndarray, y: np.ndarray, **how: Any) -> float:
        """The share of X, (N, D), whose predicted class is y, (N,); takes what `predict` takes."""
        y = expect_labels(f"{type(self).__name__}.score", y, len(X))
        return float((self.predict(X, **how) == y).mean())

    def _expect_fitted(self, attribute: str) -> None:
        if not hasattr(self, attribute):
            raise ValueError(f"{type(self).__name__} has not seen any data yet; call fit(X, y) first")

    def _because(self, verb: str) -> str:
        return ": it models P(y | x), and says nothing of how probable an x is"


class GenerativeClassifier(Classifier):
    """A model of log p(x | y) and log p(y), and what Bayes' theorem makes of the two.

    (BAYES.1)  log p(x, y) = log p(x | y) + log p(y)                   the joint, (N, C)
    (BAYES.2)  log p(x)    = log Σ_y exp log p(x, y)
    (BAYES.3)  P(y | x)    = p(x, y) / p(x)

    A subclass has `log_prior_`, (C,), and defines `log_likelihoods` and `_sample_class`. Derived in
    docs/discriminative.md.
    """

    likelihood: str | None = "exact"
    log_prior_: np.ndarray

    def log_likelihoods(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """log p(x | y) in nats of each example under each class, (N, C)."""
        raise TypeError(f"{type(self).__name__} has no densities of its classes")

    def log_joint(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """log p(x, y) in nats, (N, C); takes what `log_likelihoods` takes.

        Raises ValueError where an example is so far out that no class gives it a finite log-density.
        """
        return self._within_reach(X, how) + self.log_prior_     # (BAYES.1)

    def _within_reach(self, X, how):
        self._expect_fitted("log_prior_")
        with np.errstate(over="ignore", invalid="ignore"):
            found = self.log_likelihoods(X, **how)
        lost = np.isnan(found).any(axis=1) | ~np.isfinite(found.max(axis=1))
        if lost.any():
            raise ValueError(
                f"{type(self).__name__} expected examples within reach of a class, got one so far out that "
                f"its log-density is not finite (first in row {lost.argmax()})"
            )
        return found

    def predict_proba(self, X, **how):
        """P(y | x) by Bayes' theorem, (N, C); takes what `log_likelihoods` takes."""
        joint = self.log_joint(X, **how)
        return np.exp(joint - log_sum_exp(joint)[:, None])      # (BAYES.3)

    def predict(self, X, **how):
        """argmax_y log p(x, y), (N,): p(x) is the same for all y, so nobody needs it here."""
        return self.log_joint(X, **how).argmax(axis=1)

    def score_samples(self, X, y=None, **how):
        """log p(x) in nats, (N,); given labels y (N,), log p(x | y)."""
        if y is None:
            return log_sum_exp(self.log_joint(X, **how))        # (BAYES.2)
        self._expect_fitted("log_prior_")
        y = expect_labels(f"{type(self).__name__}.score_samples", y, len(X), len(self.log_prior_))
        return self._within_reach(X, how)[np.arange(len(X)), y]

    def sample(self, n, *, rng, y=None):
        """n examples, (n, D): of the classes y, (n,), or of classes drawn from p(y)."""
        self._expect_fitted("log_prior_")
        who, classes = f"{type(self).__name__}.sample", len(self.log_prior_)
        if n < 1:
            raise ValueError(f"{who} expected to draw at least one example, got n = {n}")
        y = rng.choice(classes, n, p=np.exp(self.log_prior_)) if y is None else y
        y = expect_labels(who, y, n, classes)
        drawn = {k: self._sample_class(int(k), int((y == k).sum()), rng) for k in np.unique(y)}
        any_class = next(iter(drawn.values()))
        X = np.empty((n, any_class.shape[1]), any_class.dtype)
        for k, part in drawn.items():
            X[y == k] = part
        return X

    def _sample_class(self, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} cannot sample")


def log_sum_exp(a: np.ndarray) -> np.ndarray:
    """log Σ exp a over the last axis, without overflow: the largest entry is taken out first.

    Rows of −∞ alone give −∞. (N, …, K) -> (N, …).
    """
    largest = a.max(axis=-1, keepdims=True)
    safe = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(a - safe).sum(axis=-1)) + safe[..., 0]


def expect_labelled(
    who: str, X: np.ndarray, y: Any, *, classes: int | None = None, features: int | None = None
) -> tuple[np.ndarray, int]:
    """Check training data: X as `expect_examples` does, and labels with an example of every class.

    Returns y, (N,), and the number of classes C: `classes`, or else the largest label and one. Raises
    ValueError for a class without an example, and for a single class.
    """
    expect_examples(who, X, features=features)
    y = expect_labels(who, y, len(X), classes)
    classes = int(y.max()) + 1 if classes is None else classes
    if classes < 2:
        raise ValueError(f"{who} expected at least two classes, got none but 0")
    present = np.zeros(classes, bool)
    present[y] = True
    if not present.all():
        missing = ", ".join(map(str, np.flatnonzero(~present)))
        raise ValueError(
            f"{who} expected an example of each class 0..{classes - 1}, got none of {missing} "
            f"among {len(y)} examples"
        )
    return y, classes


def log_frequencies(y: np.ndarray, classes: int) -> np.ndarray:
    """log p(y), (C,), by counting: N_y / N."""
    return np.log(np.bincount(y, minlength=classes) / len(y))
