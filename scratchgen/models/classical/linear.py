"""The base of linear classifiers: the weights, the scores x·W + b, and checks of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.layers import Parameter
from scratchgen.models.arguments import as_dtype, count, finite
from scratchgen.models.base import Model
from scratchgen.models.classical.base import Classifier, expect_labelled


class LinearClassifier(Classifier, Model):
    """A classifier with linear scores x·W + b and an L2 penalty; x (N, D), W (D, C), b (C,).

    features, classes : D and C
    l2 : weight of the penalty ½·l2·‖W‖²; the bias is not penalised

    weight, bias : Parameters, zero at the start

    Raises ValueError for fewer than one feature or two classes, and for a negative l2.
    """

    def __init__(self, features: int = 784, classes: int = 10, *, l2: float = 0.0, dtype: Any = np.float32):
        who = type(self).__name__
        self.features, self.classes = count(who, "features", features), count(who, "classes", classes, 2)
        self.l2 = finite(who, "l2", l2, least=0)
        dtype = as_dtype(who, dtype)
        self.weight = Parameter(np.zeros((features, classes), dtype))
        self.bias = Parameter(np.zeros(classes, dtype))

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and labels y (N,), with an example of every class."""
        return X, expect_labelled(self._who("fit"), X, y, features=self.features, classes=self.classes)[0]

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """The scores x·W + b, (N, C)."""
        return self._scores("decision_function", X)

    def _scores(self, method: str, X: np.ndarray) -> np.ndarray:
        expect_examples(self._who(method), X, features=self.features)
        return X @ self.weight.value + self.bias.value

    def _number_of_classes(self) -> int:
        return self.classes

    def _predict(self, method: str, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return self._scores(method, X).argmax(axis=1)

    def _penalty(self) -> float:
        return 0.5 * self.l2 * float((self.weight.value**2).sum())
