"""Generative classifiers for scikit-learn: models of p(x | y) and P(y), which also score and draw examples.

Parameters that scikit-learn's own estimators have, have the same names here.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from scratchgen import models
from scratchgen.sklearn.base import LabelEstimator, ScoreMixin, rows_of_classes
from scratchgen.sklearn.transformers import PCA


class GenerativeEstimator(ScoreMixin, LabelEstimator):
    """A classifier with a distribution of x given the class, whose scores are log p(x, y).

    It also gives log p(x) of an example, and draws examples of a class.
    """

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x) in nats of each example, (N,)."""
        X = self._new_data(X)
        return self.model_.score_samples(X)

    def sample(self, n_samples: int = 1, y: Any = None, random_state: Any = None) -> np.ndarray:
        """Draw examples, (n_samples, D): of the labels y (n_samples,), or of labels drawn from p(y)."""
        check_is_fitted(self, "model_")
        numbers = None if y is None else self._numbers(y, "sample")
        return self.model_.sample(n_samples, rng=self._new_rng(random_state), y=numbers)

    def _scores(self, X: np.ndarray, **how: Any) -> np.ndarray:
        return self.model_.log_joint(X, **how)


class ClosedForm(GenerativeEstimator):
    """A generative classifier with a closed-form fit; features that are not seen can be integrated out.

    random_state : seed of `sample`; `fit` uses no random numbers

    In the methods below, seen is an array of bool, (D,): the features that the prediction may use. The
    values of the other features in X are ignored.
    """

    random_state: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit X (N, D) and labels y (N,). An example of weight 2 counts as two equal examples."""
        X, numbers = self._labelled_data(X, y)
        self.model_ = self._build().fit(X, numbers, sample_weight=sample_weight)
        return self

    def _build(self) -> Any:
        raise TypeError(f"{type(self).__name__} does not define _build")

    def predict(self, X: Any, *, seen: Any = None) -> np.ndarray:
        """The most probable class of each example: (N, D) -> (N,)."""
        X = self._new_data(X)
        return self.classes_[self.model_.predict(X, seen=seen)]

    def predict_proba(self, X: Any, *, seen: Any = None) -> np.ndarray:
        """P(y | x), with the classes in the order of `classes_`: (N, D) -> (N, C)."""
        X = self._new_data(X)
        return self.model_.predict_proba(X, seen=seen)


class LinearDiscriminant(ClosedForm):
    """Linear discriminant analysis: a Gaussian for each class, with a shared covariance.

    shrinkage : from 0 to 1, the share of a multiple of the identity in the covariance
    drop_constant : whether `fit` leaves out features that are constant in all examples, with a warning;
        otherwise it refuses them, unless there is shrinkage
    model_ : a scratchgen.models.GaussianDiscriminant
    coef_, intercept_ : the linear scores, (C, D) and (C,); (1, D) and (1,) for two classes

    Equal to LinearDiscriminantAnalysis(solver="lsqr") of scikit-learn.
    """

    def __init__(self, shrinkage: float = 0.0, drop_constant: bool = False, random_state: Any = None):
        self.shrinkage = shrinkage
        self.drop_constant = drop_constant
        self.random_state = random_state

    def _build(self) -> models.GaussianDiscriminant:
        return models.GaussianDiscriminant(shrinkage=self.shrinkage, drop_constant=self.drop_constant)

    @property
    def coef_(self) -> np.ndarray:
        """The weights of the features, (C, D), or (1, D) for two classes."""
        check_is_fitted(self, "model_")
        return rows_of_classes(self.model_.linear()[0].T)

    @property
    def intercept_(self) -> np.ndarray:
        """The constants of the scores, (C,), or (1,) for two classes."""
        check_is_fitted(self, "model_")
        return rows_of_classes(self.model_.linear()[1])


class QuadraticDiscriminant(ClosedForm):
    """Quadratic discriminant analysis: a Gaussian for each class, with its own covariance.

    shrinkage, drop_constant : as for LinearDiscriminant
    model_ : a scratchgen.models.GaussianDiscriminant

    Covariances are divided by N_y. QuadraticDiscriminantAnalysis of scikit-learn divides them by N_y − 1.
    """

    def __init__(self, shrinkage: float = 0.0, drop_constant: bool = False, random_state: Any = None):
        self.shrinkage = shrinkage
        self.drop_constant = drop_constant
        self.random_state = random_state

    def _build(self) -> models.GaussianDiscriminant:
        return models.GaussianDiscriminant(
            shared=False, shrinkage=self.shrinkage, drop_constant=self.drop_constant
        )


class GaussianNB(ClosedForm):
    """Naive Bayes with Normal features. Equal to GaussianNB of scikit-learn.

    var_smoothing : this share of the largest variance is added to all variances
    model_ : a scratchgen.models.GaussianNaiveBayes
    """

    def __init__(self, var_smoothing: float = 1e-9, random_state: Any = None):
        self.var_smoothing = var_smoothing
        self.random_state = random_state

    def _build(self) -> models.GaussianNaiveBayes:
        return models.GaussianNaiveBayes(smoothing=self.var_smoothing)


class BernoulliNB(ClosedForm):
    """Naive Bayes with features that are 0 or 1. Equal to BernoulliNB of scikit-learn.

    alpha : smoothing, the number of additional examples with a 0, and with a 1, in each class
    binarize : features above it count as 1; with None, features must be 0 or 1
    model_ : a scratchgen.models.BernoulliNaiveBayes
    """

    def __init__(self, alpha: float = 1.0, binarize: float | None = 0.0, random_state: Any = None):
        self.alpha = alpha
        self.binarize = binarize
        self.random_state = random_state

    def _build(self) -> models.BernoulliNaiveBayes:
        return models.BernoulliNaiveBayes(smoothing=self.alpha, threshold=self.binarize)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True      # a checked data set has no zeros
        return tags


class BayesClassifier(GenerativeEstimator):
    """Bayes' theorem with a density of each class, from any estimator with `score_samples`.

        BayesClassifier(RealNVP(epochs=50)), BayesClassifier(sklearn.neighbors.KernelDensity())

    density : an unfitted estimator whose `score_samples` returns log p(x) in nats; by default, PCA(1)
    random_state : seed of `sample`
    model_ : a scratchgen.models.BayesClassifier;  densities_ : the fitted density of each class
    """

    def __init__(self, density: Any = None, random_state: Any = None):
        self.density = density
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a density to the examples of each class; X (N, D), labels y (N,).

        sample_weight : (N,); an example of weight 2 counts as two equal examples, in p(y) and in the density.
            Raises ValueError for a density whose `fit` takes no weights
        """
        X, numbers = self._labelled_data(X, y)
        density = PCA(1) if self.density is None else self.density
        if sample_weight is not None and not has_fit_parameter(density, "sample_weight"):
            raise ValueError(
                f"BayesClassifier.fit expected no sample_weight, because {type(density).__name__}.fit takes "
                "none; use PCA or scikit-learn's KernelDensity, or repeat the examples"
            )
        new_density = functools.partial(DensityOfClass, density)
        self.model_ = models.BayesClassifier(new_density).fit(X, numbers, sample_weight=sample_weight)
        self.densities_ = [model.estimator for model in self.model_.models_]
        return self


class DensityOfClass:
    """A copy of a density estimator, with the methods of a model of the library."""

    likelihood = "that of the density"

    def __init__(self, density: Any):
        self.estimator = clone(density)

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        if sample_weight is None:
            self.estimator.fit(X)
        else:
            self.estimator.fit(X, sample_weight=sample_weight)
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        return self.estimator.score_samples(X)

    def sample(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        seed = {"random_state": int(rng.integers(np.iinfo(np.int32).max))}
        if "random_state" in inspect.signature(self.estimator.sample).parameters:
            return self.estimator.sample(n, **seed)
        X, _ = self.estimator.set_params(**seed).sample(n)      # GaussianMixture also returns its components
        return X
