"""The base of linear classifiers: the weights, the scores x·W + b, and checks of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.layers import Parameter
from scratchgen.models.arguments import as_dtype, count, finite
from scratchgen.models.base import Model
from scratchgen.models.classical.base import Classifier, expect_labelled
from scratchgen.models.examples import as_examples


class LinearClassifier(Classifier, Model):
    """A classifier with linear scores x·W + b and an L2 penalty; x (N, D), W (D, C), b (C,).

    features, classes : D and C; the first `fit` sets those that are None, from its data
    l2 : weight of the penalty ½·l2·‖W‖²; the bias is not penalised

    weight, bias : Parameters, zero at the start; they exist once D and C are known

    Raises ValueError for fewer than one feature or two classes, and for a negative l2.
    """

    takes_weights = True

    def __init__(
        self,
        features: int | None = None,
        classes: int | None = None,
        *,
        l2: float = 0.0,
        dtype: Any = np.float32,
    ):
        who = type(self).__name__
        self.features = None if features is None else count(who, "features", features)
        self.classes = None if classes is None else count(who, "classes", classes, 2)
        self.l2 = finite(who, "l2", l2, least=0)
        self._dtype = as_dtype(who, dtype)
        if self.features is not None and self.classes is not None:
            self._start(self.features, self.classes)

    def _start(self, features: int, classes: int) -> None:
        self.features, self.classes = features, classes
        self.weight = Parameter(np.zeros((features, classes), self._dtype))
        self.bias = Parameter(np.zeros(classes, self._dtype))

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and labels y (N,), with an example of every class; set D and C if they are None."""
        who = self._who("fit")
        dtype = self._dtype if self.dtype is None else self.dtype
        X, y, classes = expect_labelled(
            who, X, y, features=self.features, classes=self.classes, dtype=dtype
        )
        if not hasattr(self, "weight"):
            self._start(X.shape[1], classes)
        return X, y

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """The scores x·W + b, (N, C)."""
        return self._scores("decision_function", X)

    def _scores(self, method: str, X: np.ndarray) -> np.ndarray:
        self._expect_fitted("weight")
        X = as_examples(self._who(method), X, self.dtype, features=self.features)
        return X @ self.weight.value + self.bias.value

    def _number_of_classes(self) -> int:
        self._expect_fitted("weight")
        return len(self.bias.value)

    def _predict(self, method: str, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return self._scores(method, X).argmax(axis=1)

    def _penalty(self) -> float:
        return 0.5 * self.l2 * float((self.weight.value**2).sum())
