"""Classifiers for scikit-learn that model P(y | x) or only predict labels.

Parameters that scikit-learn's own estimators have, have the same names here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from scratchgen import models
from scratchgen.layers import Activation, SiLU
from scratchgen.models.classical.base import NotConverged
from scratchgen.models.networks import in_batches
from scratchgen.sklearn.base import (
    BatchTraining,
    LabelEstimator,
    ProbabilityMixin,
    ScoreMixin,
    for_two_classes,
    rows_of_classes,
)
from scratchgen.training.schedules import Cosine


class KNeighbors(ProbabilityMixin, LabelEstimator):
    """The vote of the nearest training examples. Equal to KNeighborsClassifier of scikit-learn.

    n_neighbors : the number of neighbours that vote
    model_ : a scratchgen.models.NearestNeighbours
    """

    def __init__(self, n_neighbors: int = 5):
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Store X (N, D) and labels y (N,). An example of weight 2 counts as two equal examples.

        Weights are numbers of examples: their sum must be at least n_neighbors.
        """
        X, numbers = self._labelled_data(X, y)
        self.model_ = models.NearestNeighbours(self.n_neighbors).fit(X, numbers, sample_weight=sample_weight)
        return self


class DecisionTree(ProbabilityMixin, LabelEstimator):
    """A tree of questions of the form "is this feature below that threshold?" (CART).

    If questions tie, the tree takes the first feature; DecisionTreeClassifier of scikit-learn takes one at
    random.

    criterion : "gini" or "entropy";  max_depth : None for no limit;  min_samples_leaf : examples in a leaf
    model_ : a scratchgen.models.DecisionTree;  n_leaves_ : the number of leaves
    """

    def __init__(self, criterion: str = "gini", max_depth: int | None = None, min_samples_leaf: int = 1):
        self.criterion = criterion
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Grow the tree on X (N, D) and labels y (N,). An example of weight 2 counts as two equal examples.

        For min_samples_leaf, each example counts as one, whatever its weight, as in scikit-learn.
        """
        X, numbers = self._labelled_data(X, y)
        self.model_ = models.DecisionTree(
            criterion=self.criterion, max_depth=self.max_depth, min_leaf=self.min_samples_leaf
        ).fit(X, numbers, sample_weight=sample_weight)
        self.n_leaves_ = self.model_.leaves
        return self


class LogisticRegression(ScoreMixin, LabelEstimator):
    """Logistic regression with an L2 penalty, fitted with L-BFGS in float64.

    Equal to LogisticRegression of scikit-learn, with the same C, for any number of classes.

    C : the inverse of the strength of the penalty; np.inf for no penalty
    tol : the largest entry of the gradient of the mean loss at which the fit ends
    max_iter : the largest number of iterations; if it is not enough, `fit` warns with ConvergenceWarning
    warm_start : whether `fit` starts from the weights of the last fit instead of zero
    model_ : a scratchgen.models.LogisticRegression;  n_iter_ : the number of iterations
    coef_, intercept_ : (C, D) and (C,); (1, D) and (1,) for two classes
    """

    def __init__(self, C: float = 1.0, tol: float = 1e-5, max_iter: int = 2000, warm_start: bool = False):
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit X (N, D) and labels y (N,). An example of weight 2 counts as two equal examples."""
        before = vars(self).get("model_") if self.warm_start else None
        X, numbers = self._labelled_data(X, y)
        X, classes = X.astype(np.float64), len(self.classes_)
        total = len(X) if sample_weight is None else float(np.asarray(sample_weight, np.float64).sum())
        if not self.C > 0:
            raise ValueError(f"LogisticRegression.fit expected C > 0, got {self.C!r}")
        # scikit-learn has one column w for two classes. Ours are −w/2 and w/2, whose squares sum to w²/2.
        l2 = (2 if classes == 2 else 1) / (self.C * total) if total > 0 else 0.0
        model = models.LogisticRegression(X.shape[1], classes, l2=l2, dtype=np.float64)
        if before is not None:
            _copy_weights("LogisticRegression", before, model)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", NotConverged)
            model.fit(
                X, numbers, sample_weight=sample_weight, tolerance=self.tol, iterations=self.max_iter,
                warm_start=before is not None,
            )
        for warning in caught:
            convergence = issubclass(warning.category, NotConverged)
            warnings.warn(
                str(warning.message), ConvergenceWarning if convergence else warning.category, stacklevel=2
            )
        self.model_, self.n_iter_ = model, model.iterations_
        return self

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return self.model_.decision_function(X)

    @property
    def coef_(self) -> np.ndarray:
        """The weights of the features, (C, D), or (1, D) for two classes."""
        check_is_fitted(self, "model_")
        return rows_of_classes(self.model_.weight.value.T)

    @property
    def intercept_(self) -> np.ndarray:
        """The constants of the scores, (C,), or (1,) for two classes."""
        check_is_fitted(self, "model_")
        return rows_of_classes(self.model_.bias.value)


class BatchClassifier(BatchTraining, LabelEstimator):
    """A classifier that is trained by gradient descent on batches.

    `fit` starts anew, unless warm_start is set; `partial_fit` always continues.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X (N, D) and labels y (N,). An example of weight 2 counts as two equal examples."""
        if self._continues():
            X, y = self._training_data(X, y, reset=False)
            return self._train(X, self._numbers(y, "fit"), sample_weight=sample_weight)
        X, numbers = self._labelled_data(X, y)
        return self._train(X, numbers, len(self.classes_), sample_weight)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Pass once over X (N, D) and labels y (N,), a part of the data.

        classes : all labels; needed in the first call, unless `fit` was called before
        sample_weight : (N,), factors of the loss of each example. Unlike in `fit`, they are not divided by
            their mean, which is not known before the last part
        """
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ValueError(
                f"{type(self).__name__}.partial_fit expected all classes in the first call, got none"
            )
        X, y = self._training_data(X, y, reset=first)
        if first:
            self.classes_ = np.unique(classes)
        numbers = self._numbers(y, "partial_fit")
        return self._train_part(X, numbers, len(self.classes_), sample_weight)


class LinearSVM(BatchClassifier):
    """A linear classifier with hinge loss, one class against the others, trained by Adam on batches.

    C : the inverse of the strength of the penalty, ½·‖W‖² / (C·N), where N is the number of examples, or the
        sum of their weights; in `partial_fit`, those of the first part
    epochs, batch_size : passes over the data, and examples in a batch
    lr : the first learning rate, which decreases to zero along a cosine in `fit`; or a schedule
    random_state : seed of the order of the examples
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.LinearSVM;  loss_curve_ : the mean loss in each epoch
    coef_, intercept_ : (C, D) and (C,); (1, D) and (1,) for two classes
    """

    def __init__(
        self,
        C: float = 1.0,
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 0.05,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.C = C
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        if not self.C > 0:
            raise ValueError(f"LinearSVM.fit expected C > 0, got {self.C!r}")
        return models.LinearSVM(X.shape[1], classes, l2=1 / (self.C * len(X)), dtype=X.dtype)

    def _weigh(self, model: Any, sample_weight: np.ndarray) -> None:
        model.l2 *= len(sample_weight) / float(sample_weight.sum())

    def _rate(self) -> Any:
        return self.lr if callable(self.lr) else Cosine(self.lr)

    def decision_function(self, X: Any) -> np.ndarray:
        """The scores x·W + b, (N, C); for two classes, half of their difference, (N,)."""
        X = self._new_data(X)
        scores = self.model_.decision_function(X)
        return for_two_classes(scores) / 2 if scores.shape[1] == 2 else scores

    @property
    def coef_(self) -> np.ndarray:
        """The weights of the features, (C, D), or (1, D) for two classes."""
        check_is_fitted(self, "model_")
        return rows_of_classes(self.model_.weight.value.T, 0.5)

    @property
    def intercept_(self) -> np.ndarray:
        """The constants of the scores, (C,), or (1,) for two classes."""
        check_is_fitted(self, "model_")
        return rows_of_classes(self.model_.bias.value, 0.5)


class MLP(ScoreMixin, BatchClassifier):
    """A neural network with softmax cross-entropy, trained by Adam on batches.

    hidden : widths of the hidden layers;  activation : the class of a layer, such as SiLU
    epochs, batch_size, lr : passes over the data, examples in a batch, and learning rate or schedule
    random_state : seed of the initial weights and of the order of the examples
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.MLPClassifier;  loss_curve_ : the mean loss in each epoch
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (64,),
        activation: type[Activation] = SiLU,
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 3e-3,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.hidden = hidden
        self.activation = activation
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        return models.MLPClassifier(
            features=X.shape[1], hidden=self.hidden, classes=classes, activation=self.activation, rng=rng,
            dtype=X.dtype,
        )

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return in_batches(lambda x: self.model_.net.forward(x)[0], X)


def _copy_weights(who: str, source: Any, target: Any) -> None:
    """Start from the weights of the last fit. Raises ValueError for other features or classes."""
    for name, p in target.parameters().items():
        before = source.parameters()[name].value
        if before.shape != p.shape:
            raise ValueError(
                f"{who}.fit with warm_start expected {name} of shape {before.shape} as in the last fit, got "
                f"{p.shape}"
            )
        p.value[...] = before
