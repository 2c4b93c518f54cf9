"""A classifier from any density model: one density for each class, and Bayes' theorem."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from scratchgen.models.base import Estimator, NoLikelihood
from scratchgen.models.classical.base import GenerativeClassifier, expect_weighted, log_frequencies
from scratchgen.models.examples import as_examples


class BayesClassifier(GenerativeClassifier):
    """argmax_y log p(x | y) + log p(y), (BAYES.1), with p(x | y) from any model with `score_samples`.

        BayesClassifier(lambda: PCA(20)).fit(X, y)                     one model for each class
        BayesClassifier(ConditionalVAE.dense(rng=rng)).fit(X, y, epochs=10, rng=rng)   one model with labels

    If the model gives a lower bound or an estimate of log p(x | y), the posterior is an estimate, too, and
    its error depends on how loose the bound is. `likelihood` says which of these the model gives. log p(y) is
    N_y / N. Derived in docs/discriminative.md.

    model : a function that builds a new model, or a model with `classes` and ``score_samples(X, y)``
    models_ : after `fit`, a list with the model of each class (the same model each time if it has classes)

    Raises NoLikelihood for a model without a likelihood, TypeError for a model without classes. `fit` raises
    ValueError for a function that returns the same model for several classes.
    """

    def __init__(self, model: Estimator | Callable[[], Any]):
        if isinstance(model, Estimator):
            _expect_likelihood(model)
        if isinstance(model, Estimator) and not getattr(model, "classes", 0):
            who = type(model).__name__
            raise TypeError(
                f"BayesClassifier expected a function that builds a model for each class, or a model that "
                f"has classes, got {who}: try BayesClassifier(lambda: {who}(...))"
            )
        if not isinstance(model, Estimator) and not callable(model):
            raise TypeError(
                f"BayesClassifier expected a model or a function that builds one, got {type(model).__name__}"
            )
        self.model = model
        # If `model` is a function, its likelihood is known only after fit.
        self.likelihood = model.likelihood if isinstance(model, Estimator) else None

    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: Any = None, **run: Any) -> Self:
        """Fit a model to the examples of each class; X (N, D), y (N,).

        sample_weight : (N,), weights >= 0; an example of weight 2 counts as two equal examples, in p(y)
            (BAYES.4) and in the models of the classes. Raises ValueError for models whose `fit` takes none
        run : keyword arguments of the models' `fit`, such as epochs and rng
        """
        X, y, weights, classes = expect_weighted("BayesClassifier.fit", X, y, sample_weight)
        if isinstance(self.model, Estimator):
            known = getattr(self.model, "classes", 0)
            if classes != known:
                raise ValueError(f"BayesClassifier.fit expected {known} classes, got {classes}")
            if weights is not None:
                _expect_weights_in_fit(self.model)
                run["sample_weight"] = weights
            with _named(self._who("fit")):
                self.models_ = [self.model.fit(X, y, **run)] * classes
        else:
            models = [self.model() for _ in range(classes)]
            _expect_likelihood(models[0])
            if weights is not None:
                _expect_weights_in_fit(models[0])
            if len(set(map(id, models))) < classes:             # the last fit would overwrite the others
                raise ValueError(
                    "BayesClassifier.fit expected a function that builds a new model each time, got the "
                    "same one for several classes"
                )
            with _named(self._who("fit")):
                self.models_ = [
                    model.fit(X[y == k], **run, **_weights_of(k, y, weights))
                    for k, model in enumerate(models)
                ]
        self.likelihood = self.models_[0].likelihood
        self.log_prior_ = log_frequencies(y, classes, weights)
        return self

    def saved_state(self) -> dict[str, Any]:
        """The attributes to save. After `fit`, functions that a file cannot store are left out."""
        without_name = "<" in getattr(self.model, "__qualname__", "")       # "<lambda>", "f.<locals>.g"
        if without_name and hasattr(self, "models_"):
            return {**vars(self), "model": LeftOut()}
        return dict(vars(self))

    def log_likelihoods(self, X: np.ndarray, **how: Any) -> np.ndarray:
        """log p(x | y) from each class's model, (N, C). how : passed to its `score_samples`."""
        return self._log_likelihoods("log_likelihoods", X, **how)

    def _log_likelihoods(self, method: str, X: np.ndarray, **how: Any) -> np.ndarray:
        self._expect_fitted("models_")
        X = as_examples(self._who(method), X)
        columns = []
        for k, model in enumerate(self.models_):
            labels = (np.full(len(X), k),) if isinstance(self.model, Estimator) else ()
            with _named(self._who(method)):
                columns.append(model.score_samples(X, *labels, **how))
        return np.stack(columns, axis=1)

    def _sample_class(self, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
        if isinstance(self.model, Estimator):
            model: Any = self.model
            return model.sample(n, rng=rng, y=np.full(n, k))
        return self.models_[k].sample(n, rng=rng)


class LeftOut:
    """Replaces a lambda in a classifier that was loaded from a file, because files cannot store lambdas."""

    def __call__(self) -> Any:
        """Raise ValueError, because the models that the lambda built cannot be built again."""
        raise ValueError(
            "BayesClassifier.fit expected a function that builds a model, but this classifier was loaded "
            "from a file, which cannot store a lambda: construct a new BayesClassifier, or save one with "
            "functools.partial(PCA, 20) instead of lambda: PCA(20)"
        )

    def __repr__(self) -> str:
        return "a lambda that the file does not have"


@contextmanager
def _named(who: str) -> Iterator[None]:
    """Begin the error messages of the classes' models with the method that the user called."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{who} failed because the model of a class raised an error: {error}") from None


def _expect_likelihood(model: Any) -> None:
    if getattr(model, "likelihood", None) is None:
        raise NoLikelihood(
            f"BayesClassifier expected a model with a likelihood, got {type(model).__name__}, which has "
            "none: Bayes' theorem needs log p(x | y)"
        )


def _weights_of(k: int, y: np.ndarray, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    """The argument sample_weight for the examples of class k, or no argument without weights."""
    return {} if weights is None else {"sample_weight": weights[y == k]}


def _expect_weights_in_fit(model: Any) -> None:
    """Raise ValueError for a model whose `fit` does not use weights of the examples."""
    taken = getattr(model, "takes_weights", "sample_weight" in inspect.signature(model.fit).parameters)
    if not taken:
        raise ValueError(
            f"BayesClassifier.fit expected no sample_weight, because {type(model).__name__}.fit does not use "
            "weights; use a density such as PCA, or repeat the examples"
        )
