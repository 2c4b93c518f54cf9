"""Naive Bayes classifiers, which assume that features are independent given the class."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_binary, expect_examples
from scratchgen.distributions import Bernoulli, Normal
from scratchgen.models.arguments import finite, flag
from scratchgen.models.classical.base import (
    GenerativeClassifier,
    class_sizes,
    expect_weighted,
    log_frequencies,
)
from scratchgen.models.examples import as_examples, cast


class BernoulliNaiveBayes(GenerativeClassifier):
    """A Bernoulli distribution for each class and feature; features are 0 or 1.

    (NB.1)  p(x | y) = Π_d p(x_d | y)                                   the naive assumption
    (NB.2)  θ_yd = (N_yd + smoothing) / (N_y + 2·smoothing)             N_yd: examples of y with x_d = 1
    (NB.3)  log p(x, y) = x·W + b,  W_dy = log θ_yd/(1 − θ_yd),  b_y = log p(y) + Σ_d log(1 − θ_yd)

    By (NB.3), this is a linear classifier like logistic regression, but its weights are found by counting.
    The smoothing acts as 2·smoothing additional examples of each class, half of them with a 1. Without it, a
    value that never occurs in a class would have the log-probability −∞, so `fit` raises ValueError for a
    smoothing of 0 if a count is zero. p(y) is N_y / N. Derived in docs/discriminative.md.

    threshold : features above it count as 1; with None features must be 0 or 1
    logits_ : (C, D), log θ/(1 − θ);  log_prior_ : (C,)
    Computed in float64 for data of any dtype. Raises ValueError for a negative smoothing.
    """

    def __init__(self, *, smoothing: float = 1.0, threshold: float | None = None):
        who = "BernoulliNaiveBayes"
        self.smoothing = finite(who, "smoothing", smoothing, least=0)
        self.threshold = None if threshold is None else finite(who, "threshold", threshold)

    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Count the ones of X (N, D) in each class y (N,).

        sample_weight : (N,), weights >= 0; an example of weight 2 counts as two equal examples (BAYES.4)
        """
        X, y, weights, classes = expect_weighted("BernoulliNaiveBayes.fit", X, y, sample_weight)
        x = self._binary("fit", X)
        x = x if weights is None else weights[:, None] * x
        ones = np.stack([x[y == k].sum(axis=0) for k in range(classes)])                    # (C, D)
        sizes = class_sizes(y, classes, weights)[:, None]
        theta = (ones + self.smoothing) / (sizes + 2 * self.smoothing)                      # (NB.2)
        if not ((theta > 0) & (theta < 1)).all():
            k, d = np.argwhere((theta <= 0) | (theta >= 1))[0]
            raise ValueError(
                f"BernoulliNaiveBayes.fit expected a smoothing > 0, as feature {d} is constant in class {k}"
            )
        self.logits_ = np.log(theta) - np.log1p(-theta)
        self.log_prior_ = log_frequencies(y, classes, weights)
        return self

    def log_likelihoods(  # type: ignore[override]
        self, X: np.ndarray, *, seen: np.ndarray | None = None
    ) -> np.ndarray:
        """log p(x | y) in nats, (N, C).

        seen : (D,) of bool; features that are not seen are summed out exactly:
        (NB.4)  p(x_seen | y) = Σ_{x_unseen} p(x | y) = Π_{d seen} p(x_d | y)
        """
        return self._log_likelihoods("log_likelihoods", X, seen=seen)

    def _log_likelihoods(  # type: ignore[override]
        self, method: str, X: np.ndarray, *, seen: np.ndarray | None = None
    ) -> np.ndarray:
        self._expect_fitted("logits_")
        x = self._binary(method, X, self.logits_.shape[1])
        seen = expect_seen(self._who(method), seen, x.shape[1])
        logits = self.logits_[:, seen]                          # (NB.4)
        softplus = -Bernoulli.log_prob(np.zeros(()), logits)    # −log(1 − θ)
        return x[:, seen] @ logits.T - softplus.sum(axis=1)     # (NB.1), (NB.3)

    def _binary(self, method: str, X: np.ndarray, features: int | None = None) -> np.ndarray:
        who = self._who(method)
        X = cast(who, X)
        if self.threshold is not None:
            expect_examples(who, X, features=features)
            return np.greater(X, self.threshold).astype(np.float64)
        expect_binary(
            who, X, features=features, hint=", or set a threshold.", range_hint=", or set a threshold"
        )
        return X.astype(np.float64)

    def _sample_class(self, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
        logits = np.broadcast_to(self.logits_[k], (n, self.logits_.shape[1]))
        return Bernoulli.sample(logits, rng.random(logits.shape))


class GaussianNaiveBayes(GenerativeClassifier):
    """A Normal distribution for each class and feature: (NB.1) with p(x_d | y) = N(mu_yd, var_yd).

    (NB.5)  mu_yd = mean of x_d over class y,   var_yd = its variance (over N_y) + smoothing·max_d var(x_d)

    The smoothing adds a fraction of the largest variance of a feature over all examples, so that a feature
    which is constant within a class still has a density. The accuracy depends on it (measured in
    docs/discriminative.md). scikit-learn calls it var_smoothing. With shared variances log p(x, y) is linear
    in x, apart from a term that is the same for all classes, as in (GDA.4).

    shared : one variance for each feature, the mean over all examples of (x_d − mu_yd)²
    means_, variances_ : (C, D);  log_prior_ : (C,), N_y / N
    Computed in float64 for data of any dtype. Raises ValueError for a negative smoothing.
    """

    def __init__(self, *, smoothing: float = 1e-9, shared: bool = False):
        self.smoothing = finite("GaussianNaiveBayes", "smoothing", smoothing, least=0)
        self.shared = flag("GaussianNaiveBayes", "shared", shared)

    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Compute the means and variances of X (N, D) in each class y (N,).

        sample_weight : (N,), weights >= 0; an example of weight 2 counts as two equal examples (BAYES.4)

        Raises ValueError if a variance is still zero: all features are constant, or there is no smoothing.
        """
        X, y, weights, classes = expect_weighted("GaussianNaiveBayes.fit", X, y, sample_weight)
        X = X.astype(np.float64)
        members = [y == k for k in range(classes)]
        self.means_ = np.stack([weighted_mean(X, weights, rows) for rows in members])
        variances = np.stack([_variance(X, weights, rows) for rows in members])
        if self.shared:
            sizes = class_sizes(y, classes, weights)
            variances = np.tile(sizes @ variances / sizes.sum(), (classes, 1))
        variances += self.smoothing * _variance(X, weights).max()               # (NB.5)
        if not (variances > 0).all():
            k, d = np.argwhere(variances <= 0)[0]
            raise ValueError(
                f"GaussianNaiveBayes.fit expected variances > 0, but feature {d} is constant in class "
                f"{k}: leave it out, or set a smoothing > 0 (which needs one feature that varies)"
            )
        self.variances_ = variances
        self.log_prior_ = log_frequencies(y, classes, weights)
        return self

    def log_likelihoods(  # type: ignore[override]
        self, X: np.ndarray, *, seen: np.ndarray | None = None
    ) -> np.ndarray:
        """log p(x | y) in nats, (N, C); features that are not `seen`, (D,) of bool, are left out, (NB.4)."""
        return self._log_likelihoods("log_likelihoods", X, seen=seen)

    def _log_likelihoods(  # type: ignore[override]
        self, method: str, X: np.ndarray, *, seen: np.ndarray | None = None
    ) -> np.ndarray:
        self._expect_fitted("means_")
        X = as_examples(self._who(method), X, features=self.means_.shape[1])
        seen = expect_seen(self._who(method), seen, X.shape[1])
        X, means, logvars = X[:, seen], self.means_[:, seen], np.log(self.variances_[:, seen])
        columns = [Normal.log_prob(X, m, v).sum(axis=1) for m, v in zip(means, logvars, strict=True)]
        return np.stack(columns, axis=1)                        # (NB.1)

    def _sample_class(self, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
        eps = rng.standard_normal((n, self.means_.shape[1]))
        return Normal.sample(self.means_[k], np.log(self.variances_[k]), eps)


def weighted_mean(X: np.ndarray, weights: np.ndarray | None, rows: Any = slice(None)) -> np.ndarray:
    """The mean of these rows of X (N, D), (D,); weights (N,), or None for equal ones."""
    return np.average(X[rows], axis=0, weights=None if weights is None else weights[rows])    # (BAYES.4)


def _variance(X: np.ndarray, weights: np.ndarray | None, rows: Any = slice(None)) -> np.ndarray:
    return weighted_mean((X - weighted_mean(X, weights, rows)) ** 2, weights, rows)


def expect_seen(who: str, seen: Any, features: int) -> np.ndarray:
    """Return which features are seen, (D,) of bool: all of them for None.

    Raises TypeError for another dtype, ValueError for another shape and if no feature is seen.
    """
    if seen is None:
        return np.ones(features, bool)
    seen = np.asarray(seen)
    if seen.dtype != bool:
        raise TypeError(f"{who} expected seen as an array of bool, got dtype {seen.dtype}")
    if seen.shape != (features,):
        raise ValueError(f"{who} expected seen of shape ({features},), got {seen.shape}")
    if not seen.any():
        raise ValueError(f"{who} expected at least one feature to be seen, got none")
    return seen
