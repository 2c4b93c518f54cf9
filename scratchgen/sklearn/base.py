"""What the estimators share: checks of data and labels, seeds, training by batches, densities.

The estimators compute in the dtype of the data that they are fitted to: float32 for float32, float64 for
everything else, such as integers, lists and data frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from scratchgen.data.batches import Batches
from scratchgen.distributions import Categorical
from scratchgen.models.examples import expect_weights
from scratchgen.training.loop import Trainer
from scratchgen.training.optimisers import Adam

FLOATS = (np.float64, np.float32)


class ModelEstimator(BaseEstimator):
    """An estimator whose `fit` trains a model of the library, `model_`.

    least_features, least_samples : the smallest number of columns and rows that `fit` takes
    """

    least_features = 1
    least_samples = 1
    model_: Any

    def _training_data(self, X: Any, y: Any = "no_validation", reset: bool = True) -> Any:
        """X (N, D) as an array of floats, or (X, y) if there are labels; sets n_features_in_."""
        return validate_data(
            self, X, y, reset=reset, dtype=FLOATS if reset else self._dtype(), order="C",
            ensure_min_features=self.least_features if reset else 1, ensure_min_samples=self.least_samples,
        )

    def _new_data(self, X: Any) -> np.ndarray:
        """X (N, D) for a fitted model, in the dtype of its parameters."""
        check_is_fitted(self, "model_")
        return validate_data(self, X, reset=False, dtype=self._dtype(), order="C")

    def _dtype(self) -> Any:
        dtype = getattr(self.model_, "dtype", None)
        return FLOATS if dtype is None else dtype

    def _new_rng(self, random_state: Any = None) -> np.random.Generator:
        """A generator that is seeded from `random_state`, or from the estimator's own."""
        state = check_random_state(self.random_state if random_state is None else random_state)
        return np.random.default_rng(state.randint(np.iinfo(np.int32).max))


class LabelEstimator(ClassifierMixin, ModelEstimator):
    """A classifier: labels of any kind are numbered 0 … C − 1 for the model, in the order of `classes_`."""

    classes_: np.ndarray

    def _labelled_data(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """X (N, D) and the numbers of the labels (N,); sets classes_."""
        X, y = self._training_data(X, y)
        check_classification_targets(y)
        classes, numbers = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__}.fit expected at least 2 classes, got 1 class, {classes.tolist()[0]!r}"
            )
        self.classes_ = classes
        return X, numbers

    def _numbers(self, y: Any, method: str) -> np.ndarray:
        """The numbers of labels that are in classes_, (N,)."""
        y = np.asarray(y)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"{type(self).__name__}.{method} expected labels that occurred in the first fit, "
                f"got {unknown.tolist()[0]!r}"
            )
        return np.searchsorted(self.classes_, y)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each example: (N, D) -> (N,)."""
        X = self._new_data(X)
        return self.classes_[self.model_.predict(X)]


class ProbabilityMixin:
    """Probabilities of the classes."""

    def predict_proba(self: Any, X: Any) -> np.ndarray:
        """P(y | x), with the classes in the order of `classes_`: (N, D) -> (N, C)."""
        X = self._new_data(X)
        return self.model_.predict_proba(X)

    def predict_log_proba(self: Any, X: Any) -> np.ndarray:
        """log P(y | x), (N, C); −inf where a probability is zero."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


class ScoreMixin(ProbabilityMixin):
    """Classifiers with P(y | x) = softmax(scores); a subclass defines `_scores`, (N, D) -> (N, C)."""

    def decision_function(self: Any, X: Any) -> np.ndarray:
        """The scores whose softmax is P(y | x), (N, C); for two classes, their difference, (N,)."""
        return for_two_classes(self._scores(self._new_data(X)))

    def predict_log_proba(self: Any, X: Any) -> np.ndarray:
        """log P(y | x), (N, C)."""
        return Categorical.log_probabilities(self._scores(self._new_data(X)))


def for_two_classes(scores: np.ndarray) -> np.ndarray:
    """Scores (N, C) as they are; for C = 2, the second minus the first, (N,), as in scikit-learn."""
    return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


def rows_of_classes(of_classes: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Coefficients of the classes (C, …); for two classes, those of the difference of the scores, (1, …)."""
    return factor * (of_classes[1:] - of_classes[:1]) if len(of_classes) == 2 else of_classes


class SampleMixin:
    """Models that draw new examples."""

    def sample(self: Any, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw examples from the model, (n_samples, D).

        random_state : by default, that of the estimator
        """
        check_is_fitted(self, "model_")
        return self.model_.sample(n_samples, rng=self._new_rng(random_state))


class LikelihoodMixin(SampleMixin):
    """Models with a log-likelihood. `model_.likelihood` says whether it is exact."""

    def score_samples(self: Any, X: Any) -> np.ndarray:
        """log p(x) in nats of each example, (N,)."""
        X = self._new_data(X)
        return self.model_.score_samples(X)

    def score(self: Any, X: Any, y: Any = None) -> float:
        """The mean of log p(x) in nats. y is ignored."""
        return float(np.mean(self.score_samples(X)))


class BatchTraining:
    """Training by gradient descent, with the parameters epochs, batch_size, lr, random_state, warm_start.

    A subclass defines `_build(X, rng, classes)`, which returns a new model for data like X.

    loss_curve_ : the mean loss in each epoch of the last `fit`
    """

    def _train(
        self: Any, X: np.ndarray, y: np.ndarray | None = None, classes: int = 0, sample_weight: Any = None
    ) -> Any:
        """Train a new model; with warm_start, continue with the model of the last fit."""
        continues = self._continues()
        if sample_weight is not None:
            sample_weight = expect_weights(f"{type(self).__name__}.fit", sample_weight, len(X))
        model, rng = (
            (self.model_, self._rng) if continues else self._new_model(X, classes, sample_weight)
        )
        trainer = model.trainer(
            X, y, epochs=self.epochs, batch_size=self.batch_size, lr=self._rate(), rng=rng,
            warm_start=continues, sample_weight=sample_weight,
        )
        self.loss_curve_ = trainer.run().epochs.get("loss", [])
        self.model_, self._rng = model, rng
        vars(self).pop("_optimizer", None)          # that of partial_fit
        return self

    def _train_part(
        self: Any, X: np.ndarray, y: np.ndarray | None = None, classes: int = 0, sample_weight: Any = None
    ) -> Any:
        """Pass over X once. The optimiser keeps its state from one call to the next."""
        if callable(self.lr):
            raise ValueError(
                f"{type(self).__name__}.partial_fit expected lr to be a number, got {self.lr!r}: a schedule "
                "needs to know the number of updates"
            )
        first = not hasattr(self, "model_")
        if sample_weight is not None:
            sample_weight = expect_weights(f"{type(self).__name__}.partial_fit", sample_weight, len(X))
        model, rng = (
            self._new_model(X, classes, sample_weight) if first else (self.model_, self._rng)
        )
        if y is None:
            model.check_data(X)                     # of classifiers, a part need not have all classes
        optimizer = vars(self).get("_optimizer") or Adam(model.parameters(), self.lr)
        X = model.before_training(X, rng)
        batches = Batches(X, y, sample_weight, batch_size=self.batch_size, rng=rng)
        Trainer(model, batches, optimizer, epochs=1, rng=rng, warm_start=True).run()
        self.model_, self._rng, self._optimizer = model, rng, optimizer
        return self

    def _continues(self: Any) -> bool:
        return self.warm_start and hasattr(self, "model_")

    def _new_model(
        self: Any, X: np.ndarray, classes: int, sample_weight: np.ndarray | None
    ) -> tuple[Any, np.random.Generator]:
        rng = self._new_rng()
        model = self._build(X, rng, classes)
        if sample_weight is not None:
            self._weigh(model, sample_weight)
        return model, rng

    def _weigh(self, model: Any, sample_weight: np.ndarray) -> None:
        """Adapt a new model to the weights of the examples."""

    def _rate(self: Any) -> Any:
        """The learning rate of `fit`, a number or a schedule."""
        return self.lr


class UnsupervisedTraining(BatchTraining):
    """`fit` and `partial_fit` of models that need no labels."""

    def fit(self: Any, X: Any, y: Any = None) -> Any:
        """Train on X (N, D); y is ignored."""
        return self._train(self._prepared(self._training_data(X, reset=not self._continues())))

    def partial_fit(self: Any, X: Any, y: Any = None) -> Any:
        """Pass once over X (N, D), a part of the data; y is ignored."""
        X = self._training_data(X, reset=not hasattr(self, "model_"))
        return self._train_part(self._prepared(X))

    def _prepared(self, X: np.ndarray) -> np.ndarray:
        """The data that the model sees."""
        return X
