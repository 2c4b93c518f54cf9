"""A Gaussian for each class: linear boundaries with a shared covariance, quadratic ones without."""

from __future__ import annotations

import math
import warnings
from typing import Any, Self

import numpy as np

from scratchgen.distributions import LOG_2PI
from scratchgen.models.arguments import finite, flag
from scratchgen.models.classical.base import GenerativeClassifier, expect_weighted, log_frequencies
from scratchgen.models.classical.naive_bayes import expect_seen, weighted_mean
from scratchgen.models.examples import as_examples
from scratchgen.training.earlier import level_of_caller


class ConstantFeatures(UserWarning):
    """Warning that a model leaves out features with the same value in all examples."""


class GaussianDiscriminant(GenerativeClassifier):
    """Gaussian discriminant analysis: linear with a shared covariance (LDA), else quadratic (QDA).

    (GDA.1)  mu_y = mean of class y,  Σ_y = 1/N_y · Σₙ (xₙ − mu_y)(xₙ − mu_y)ᵀ,   shared: Σ = Σ_y N_y/N · Σ_y
    (GDA.2)  Σ ← (1 − shrinkage)·Σ + shrinkage·(tr Σ / D)·I
    (GDA.3)  log p(x | y) = −½·[D·log 2π + log det Σ_y + (x − mu_y)ᵀ·Σ_y⁻¹·(x − mu_y)]

    With a shared Σ, xᵀΣ⁻¹x is the same for every class, so the scores are linear:

    (GDA.4)  P(y | x) = softmax(x·W + b)[y],   w_y = Σ⁻¹·mu_y,   b_y = log p(y) − ½·mu_yᵀ·Σ⁻¹·mu_y

    The estimates are those of maximum likelihood, so covariances are divided by N, not by N − 1. Data that
    does not vary in every direction has no density. `fit` raises ValueError for such data, unless shrinkage
    gives these directions a variance. Features may have any units, because the correlation matrix R is
    factorised: Σ = S·R·S, where S contains the standard deviations. Derived in docs/discriminative.md.

    A feature with the same value in all examples, such as a pixel at the edge of an image, contains no
    information about the class. With drop_constant, `fit` leaves it out with the warning ConstantFeatures,
    and predictions ignore it. All likelihoods, including `score_samples`, are then those of the other
    features, because x itself lies within a plane and has no density. `sample` returns the constant value.

    shared : one covariance for all classes;  shrinkage : in [0, 1]
    drop_constant : whether `fit` leaves out features that are constant in all examples; otherwise it refuses
        them, unless there is shrinkage
    means_ : (C, D);  covariances_ : (C, D, D), or (1, D, D) if shared;  log_prior_ : (C,), log N_y / N
    In covariances_, the rows and columns of a feature that is left out are zero.
    Computations are in float64 for data of any dtype. Raises ValueError for a shrinkage outside [0, 1].
    """

    def __init__(self, *, shared: bool = True, shrinkage: float = 0.0, drop_constant: bool = False):
        self.shared = flag("GaussianDiscriminant", "shared", shared)
        self.shrinkage = finite("GaussianDiscriminant", "shrinkage", shrinkage, least=0, most=1)
        self.drop_constant = flag("GaussianDiscriminant", "drop_constant", drop_constant)

    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Compute the means and covariances of X (N, D) in each class y (N,).

        sample_weight : (N,), weights >= 0; an example of weight 2 counts as two equal examples (BAYES.4)

        Raises ValueError if a covariance is singular, which is caused by constant or dependent features, or
        by too few examples. With drop_constant, warns about features that are constant in all examples.
        """
        who = self._who("fit")
        X, y, weights, classes = expect_weighted(who, X, y, sample_weight)
        varies = self._varying(X)
        X = X.astype(np.float64)
        self.means_ = np.stack([weighted_mean(X, weights, y == k) for k in range(classes)])
        self.means_[:, ~varies] = X[0, ~varies]                 # avoids the rounding error of a mean
        groups = [np.arange(len(X))] if self.shared else [np.flatnonzero(y == k) for k in range(classes)]
        covariances, factors = [], []
        for k, rows in enumerate(groups):
            centred = X[rows] - self.means_[y[rows]]
            _expect_finite_squares(who, centred)
            covariance = _mean_outer_product(centred, None if weights is None else weights[rows])
            level = np.trace(covariance) / len(covariance)
            covariance *= 1 - self.shrinkage
            covariance[np.diag_indices_from(covariance)] += self.shrinkage * level  # (GDA.2)
            covariances.append(covariance)
            of = "all classes" if self.shared else f"class {k}"
            if not self.shrinkage:
                _expect_variation(who, X[rows], y[rows], varies, "every class" if self.shared else of)
            factors.append(_factor(who, covariance[np.ix_(varies, varies)], of, len(rows)))
        self.covariances_, self._factors = np.stack(covariances), factors
        self.log_prior_ = log_frequencies(y, classes, weights)
        return self

    def _varying(self, X: np.ndarray) -> np.ndarray:
        """Which features are part of the model, (D,) of bool. With shrinkage, all of them are."""
        varies = (X[0] != X).any(axis=0) | (self.shrinkage > 0)
        if varies.any() and not varies.all():
            constant = ", ".join(map(str, np.flatnonzero(~varies)))
            if not self.drop_constant:
                raise ValueError(
                    f"{self._who('fit')} expected features that vary, but these are constant in all "
                    f"examples: {constant}. Leave them out with drop_constant=True, or set a shrinkage > 0"
                )
            warnings.warn(
                f"GaussianDiscriminant.fit leaves out features that are constant in all examples: {constant}"
                ". Predictions ignore them, and likelihoods are those of the other features",
                ConstantFeatures,
                stacklevel=level_of_caller(),
            )
        return varies if varies.any() else ~varies              # all constant: `_factor` raises ValueError

    def _in_model(self) -> np.ndarray:
        """Which features `fit` did not leave out, (D,) of bool."""
        return self.covariances_[0].diagonal() > 0

    def log_likelihoods(  # type: ignore[override]
        self, X: np.ndarray, *, seen: np.ndarray | None = None
    ) -> np.ndarray:
        """log p(x | y) in nats, (N, C).

        seen : (D,) of bool; features that are not seen are integrated out exactly:
        (GDA.5)  x_seen | y ~ N(mu_y[seen], Σ_y[seen, seen])
        """
        return self._log_likelihoods("log_likelihoods", X, seen=seen)

    def _log_likelihoods(  # type: ignore[override]
        self, method: str, X: np.ndarray, *, seen: np.ndarray | None = None
    ) -> np.ndarray:
        self._expect_fitted("means_")
        who, in_model = self._who(method), self._in_model()
        X = as_examples(who, X, features=self.means_.shape[1])
        used = expect_seen(who, seen, X.shape[1]) & in_model
        if not used.any():
            raise ValueError(f"{who} expected seen to include at least one feature that varies, got none")
        X, means = X[:, used].astype(np.float64), self.means_[:, used]
        factors = self._factors
        if (used != in_model).any():
            factors = [  # (GDA.5)
                _factor(who, c[np.ix_(used, used)], "the seen features") for c in self.covariances_
            ]
        out = np.empty((len(X), len(means)))
        for k, mu in enumerate(means):
            whiten, log_det = factors[0 if self.shared else k]
            white = (X - mu) @ whiten
            out[:, k] = -0.5 * (len(mu) * LOG_2PI + log_det + (white**2).sum(axis=1))  # (GDA.3)
        return out

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """The W (D, C) and b (C,) of (GDA.4); a row of W is zero for a feature that `fit` left out.

        Raises ValueError unless the covariance is shared.
        """
        self._expect_fitted("means_")
        if not self.shared:
            raise ValueError(
                "GaussianDiscriminant.linear expected a shared covariance; otherwise scores are quadratic"
            )
        (whiten, _), used = self._factors[0], self._in_model()
        means, W = self.means_[:, used], np.zeros_like(self.means_.T)
        W[used] = whiten @ (means @ whiten).T                   # (GDA.4)
        return W, self.log_prior_ - 0.5 * (means * W[used].T).sum(axis=1)

    def _sample_class(self, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
        used = self._in_model()
        root = np.linalg.cholesky(self.covariances_[0 if self.shared else k][np.ix_(used, used)])
        X = np.tile(self.means_[k], (n, 1))
        X[:, used] += rng.standard_normal((n, len(root))) @ root.T
        return X


def _mean_outer_product(centred: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The covariance of deviations (N, D) from the means, (D, D)."""
    if weights is None:
        return centred.T @ centred / len(centred)               # (GDA.1)
    return centred.T @ (weights[:, None] * centred) / weights.sum()     # (GDA.1), (BAYES.4)


def _expect_finite_squares(who: str, centred: np.ndarray) -> None:
    """Raise ValueError if the squares of deviations from the means (N, D) overflow."""
    largest = float(np.abs(centred).max())
    if not largest < math.sqrt(np.finfo(np.float64).max / len(centred)):
        raise ValueError(
            f"{who} expected variances of at most 1e308, got deviations of {largest:.2g} from the mean of a "
            "class: change the unit of the data"
        )


def _expect_variation(who: str, X: np.ndarray, y: np.ndarray, varies: np.ndarray, of: str) -> None:
    """Raise ValueError if features in the model are constant within each of the classes y."""
    constant = varies & np.all([(X[y == k] == X[y == k][0]).all(axis=0) for k in np.unique(y)], axis=0)
    if constant.any() and len(X) > len(np.unique(y)):           # `_factor` reports single examples
        found = ", ".join(map(str, np.flatnonzero(constant)))
        raise ValueError(
            f"{who} expected features that vary in each class, but in {of} these are constant: {found}. "
            "Set a shrinkage > 0, which gives them a variance, or leave them out"
        )


def _factor(
    who: str, covariance: np.ndarray, of: str, examples: int | None = None
) -> tuple[np.ndarray, float]:
    """A matrix A that whitens, A = S⁻¹·L⁻ᵀ with Σ = S·R·S and R = L·Lᵀ, and log det Σ.

    S are the standard deviations and R the correlations, so that the units of the features do not matter.
    """
    std = np.sqrt(covariance.diagonal())
    among = "" if examples is None else f", {examples} examples of {len(covariance)} features,"
    rounding = len(covariance) * np.finfo(np.float64).eps
    try:
        scale = np.where(std > 0, std, 1)
        root = np.linalg.cholesky(covariance / scale / scale[:, None])
        smallest = root.diagonal().min() ** 2
    except np.linalg.LinAlgError:
        smallest = 0.0
    if not smallest > 10 * rounding:
        raise ValueError(
            f"{who} expected data that varies in every direction, but the covariance of {of}"
            f"{among} is singular: leave out dependent features, or set a shrinkage > 0"
        )
    log_det = 2 * float(np.log(root.diagonal()).sum() + np.log(std).sum())
    return np.linalg.inv(root).T / std[:, None], log_det
