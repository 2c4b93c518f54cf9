"""The base classes of classifiers: checks of labelled data, and methods that follow from log p(x, y)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import RENUMBER, as_generator, expect_labels
from scratchgen.distributions import Categorical, log_sum_exp
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.base import Estimator
from scratchgen.models.examples import as_examples, expect_weights

LISTED = 10         # classes that a message names


class NotConverged(UserWarning):
    """A fit ended before it reached the optimum."""


class Classifier(Estimator):
    """A model that predicts labels 0 … C − 1; a subclass defines `_probabilities`.

    In error messages, `method` is the name of the public method that was called.
    """

    def predict_proba(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """P(y | x) for every class: (N, D) -> (N, C), rows that sum to 1."""
        return self._probabilities("predict_proba", X, **how)

    def predict(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """The most probable class of each example: (N, D) -> (N,); the smaller label if two are equal."""
        return self._predict("predict", X, **how)

    def score(self, X: np.ndarray, y: np.ndarray, **how: Any) -> float:
        """The accuracy on X (N, D) with labels y (N,), a fraction. how : passed to `predict`."""
        found = self._predict("score", X, **how)
        y = expect_labels(self._who("score"), y, len(found), self._number_of_classes())
        return float((found == y).mean())

    def _number_of_classes(self) -> int:
        """C, the number of labels that `predict` can return."""
        raise TypeError(f"{type(self).__name__} does not define _number_of_classes")

    def _probabilities(self, method: str, X: np.ndarray, **how: Any) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} has no probabilities{self._because('predict_proba')}")

    def _predict(self, method: str, X: np.ndarray, **how: Any) -> np.ndarray:
        return self._probabilities(method, X, **how).argmax(axis=1)

    def _expect_fitted(self, attribute: str) -> None:
        if not hasattr(self, attribute):
            raise ValueError(f"{type(self).__name__} is not fitted yet; call fit(X, y) first")

    def _because(self, method: str) -> str:
        return ": it models P(y | x), not the distribution of x"


class GenerativeClassifier(Classifier):
    """A model of log p(x | y) and log p(y), which classifies by Bayes' theorem.

    (BAYES.1)  log p(x, y) = log p(x | y) + log p(y)                   the joint, (N, C)
    (BAYES.2)  log p(x)    = log Σ_y exp log p(x, y)
    (BAYES.3)  P(y | x)    = p(x, y) / p(x)
    (BAYES.4)  N_y = Σ_{yₙ=y} wₙ,  mean_y f = 1/N_y · Σ_{yₙ=y} wₙ·f(xₙ)    with weights w of the examples

    A subclass sets `log_prior_`, (C,), and defines `_log_likelihoods` and `_sample_class`. Derived in
    docs/discriminative.md.
    """

    likelihood: str | None = "exact"
    log_prior_: np.ndarray

    def _number_of_classes(self) -> int:
        return len(self.log_prior_)

    def log_likelihoods(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """log p(x | y) in nats of each example under each class, (N, C)."""
        return self._log_likelihoods("log_likelihoods", X, **how)

    def _log_likelihoods(self, method: str, X: np.ndarray, **how: Any) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} has no log_likelihoods")

    def log_joint(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """log p(x, y) in nats, (N, C). how : passed to `log_likelihoods`.

        Raises ValueError for an example that is so far from all classes that no log-density is finite.
        """
        return self._log_joint("log_joint", X, how)

    def _log_joint(self, method: str, X: np.ndarray, how: dict[str, Any]) -> np.ndarray:
        return self._finite_likelihoods(method, X, how) + self.log_prior_       # (BAYES.1)

    def _finite_likelihoods(self, method: str, X: np.ndarray, how: dict[str, Any]) -> np.ndarray:
        self._expect_fitted("log_prior_")
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._log_likelihoods(method, X, **how)
        not_finite = np.isnan(found).any(axis=1) | ~np.isfinite(found.max(axis=1))
        if not_finite.any():
            raise ValueError(
                f"{self._who(method)} expected examples with a finite log-density, got one that is too far "
                f"from all classes (first in row {not_finite.argmax()})"
            )
        return found

    def predict_proba(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """P(y | x) by Bayes' theorem, (N, C). how : passed to `log_likelihoods`."""
        return self._probabilities("predict_proba", X, **how)

    def predict(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """argmax_y log p(x, y), (N,). p(x) is the same for all y, so it is not needed."""
        return self._predict("predict", X, **how)

    def _probabilities(self, method: str, X: np.ndarray, **how: Any) -> np.ndarray:
        joint = self._log_joint(method, X, how)
        return np.exp(joint - log_sum_exp(joint)[:, None])      # (BAYES.3)

    def _predict(self, method: str, X: np.ndarray, **how: Any) -> np.ndarray:
        return self._log_joint(method, X, how).argmax(axis=1)

    def score_samples(self, X: np.ndarray, y: np.ndarray | None = None, **how: Any) -> np.ndarray:
        """log p(x) in nats, (N,); with labels y (N,), log p(x | y)."""
        if y is None:
            return log_sum_exp(self._log_joint("score_samples", X, how))        # (BAYES.2)
        found = self._finite_likelihoods("score_samples", X, how)
        y = expect_labels(self._who("score_samples"), y, *found.shape)
        return found[np.arange(len(found)), y]

    def sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n examples, (n, D): of the classes y (n,), or of classes drawn from p(y)."""
        self._expect_fitted("log_prior_")
        who, classes = self._who("sample"), len(self.log_prior_)
        self._expect_count(n)
        rng = as_generator(who, rng)
        y = rng.choice(classes, n, p=np.exp(self.log_prior_)) if y is None else y
        y = expect_labels(who, y, n, classes)
        parts = {int(k): self._sample_class(int(k), int((y == k).sum()), rng) for k in np.unique(y)}
        any_part = next(iter(parts.values()))
        X = np.empty((n, any_part.shape[1]), any_part.dtype)
        for k, part in parts.items():
            X[y == k] = part
        return X

    def _sample_class(self, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} cannot sample")


def expect_labelled(
    who: str, X: Any, y: Any, *, classes: int | None = None, features: int | None = None, dtype: Any = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Check training data: X as `as_examples` does, and labels with an example of every class.

    Returns X (N, D), y (N,), and the number of classes C: `classes`, or the largest label plus one. Raises
    ValueError for a class without an example, and for a single class.
    """
    X = as_examples(who, X, dtype, features=features)
    y = expect_labels(who, y, len(X), classes)
    classes = int(y.max()) + 1 if classes is None else classes
    if classes < 2:
        raise ValueError(f"{who} expected at least two classes, got only class 0")
    present = np.unique(y)
    if len(present) < classes:
        absent = np.setdiff1d(np.arange(min(classes, len(present) + LISTED)), present)[:LISTED]
        missing = ", ".join(map(str, absent)) + (", …" if classes - len(present) > LISTED else "")
        raise ValueError(
            f"{who} expected an example of each class 0..{classes - 1}, got none of {missing} "
            f"among {len(y)} examples; number the classes that occur from 0, {RENUMBER}"
        )
    return X, y, classes


class Weighted(NamedTuple):
    """Labelled examples with a weight above zero."""

    X: np.ndarray                   # (N, D)
    y: np.ndarray                   # (N,)
    weights: np.ndarray | None      # (N,) in float64; None if all are 1
    classes: int


def expect_weighted(who: str, X: Any, y: Any, sample_weight: Any, **expected: int) -> Weighted:
    """Check training data as `expect_labelled` does, and weights (N,); leave out examples of weight zero.

    An example of weight 2 counts as two equal examples. Raises what `expect_weights` raises, and ValueError
    for a class that has only zeros.
    """
    X, y, classes = expect_labelled(who, X, y, **expected)
    if sample_weight is None:
        return Weighted(X, y, None, classes)
    weights = expect_weights(who, sample_weight, len(y))
    used = weights > 0
    absent = np.setdiff1d(np.arange(classes), y[used])[:LISTED]
    if len(absent):
        raise ValueError(
            f"{who} expected a sample_weight above zero in each class, got none in class "
            f"{', '.join(map(str, absent))}"
        )
    return Weighted(X[used], y[used], weights[used], classes)


def class_sizes(y: np.ndarray, classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """N_y, the number of examples of each class, or the sum of their weights, (C,)."""
    return np.bincount(y, weights, minlength=classes)           # (BAYES.4)


def log_frequencies(y: np.ndarray, classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """log p(y), (C,), by counting: N_y / N."""
    sizes = class_sizes(y, classes, weights)
    return np.log(sizes / sizes.sum())


def weighted_cross_entropy(
    who: str, logits: np.ndarray, y: Any, sample_weight: Any = None
) -> tuple[float, np.ndarray]:
    """softmax_cross_entropy of logits (N, C) and labels y (N,), with weights (N,) of the examples or None."""
    loss, dlogits = softmax_cross_entropy(logits, y)
    if sample_weight is None:
        return loss, dlogits
    weights = expect_weights(who, sample_weight, len(y)).astype(logits.dtype)
    log_p = Categorical.log_prob(y, logits)
    return -float((weights * log_p).mean(dtype=np.float64)), weights[:, None] * dlogits     # (LR.4)
