"""The base of models of Bernoulli pixels with an exact likelihood: checks of data and labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from scratchgen.array_hints import shape_hint
from scratchgen.checks import (
    expect_binary,
    expect_float,
    expect_labels,
    expect_no_labels,
    one_hot,
)
from scratchgen.models.arguments import count
from scratchgen.models.examples import as_examples, cast
from scratchgen.models.pixels import PixelModel


class BinaryModel(PixelModel):
    """A model with an exact likelihood of rows of D pixels, each 0 or 1.

    features : D, the number of pixels
    binarisation : what `fit` does with grey pixels. "none" raises ValueError for them. "dynamic" and "fixed"
        sample 0 or 1, with the intensity as the probability of a 1: "dynamic" in every epoch, "fixed" once
    classes : number of labels that the density is conditioned on; 0 for none
    """

    likelihood = "exact"

    no_labels_hint = "the model does not use them"

    def __init__(self, features: int, *, classes: int = 0, binarisation: str = "none"):
        super().__init__(binarisation)
        self.features = count(type(self).__name__, "features", features, least=2)
        self.classes = count(type(self).__name__, "classes", classes, least=0)

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Check X (N, D), and labels y (N,) if the model has classes."""
        if self.binarisation == "none":
            X = self.expect_binary("fit", X)
        else:
            X = as_examples(self._who("fit"), X, self.dtype, features=self.features, low=0, high=1)
        return X, self.labels(y, len(X), "fit")

    def expect_binary(self, method: str, X: Any) -> np.ndarray:
        """Return X in the dtype of the model. Raises ValueError unless X is (N, D) and 0 or 1 everywhere."""
        X = cast(self._who(method), X, self.dtype)
        hint = ", or train with binarisation='dynamic'." if method == "fit" else "."
        expect_binary(self._who(method), X, features=self.features, hint=hint)
        return X

    def only_observed(self, X: Any, observed: np.ndarray) -> np.ndarray:
        """Return X (N, D) with 0 at all pixels that are not observed.

        Raises ValueError for another shape, or if an observed pixel is neither 0 nor 1.
        """
        who = self._who("complete")
        X = cast(who, X, self.dtype)
        expect_float(who, X)
        if X.ndim != 2 or X.shape[1] != self.features:
            hint = shape_hint(X, self.features)
            raise ValueError(f"{who} expected data of shape (N, {self.features}), got {X.shape}{hint}")
        known = np.where(observed, X, 0).astype(X.dtype)
        return self.expect_binary("complete", known)

    def known_places(self, observed: Any, orders: Iterable[np.ndarray]) -> int:
        """Return the number of observed pixels.

        Raises ValueError unless the observed pixels come first in each of the orders.
        """
        who = self._who("complete")
        observed = np.asarray(observed)
        if observed.shape != (self.features,) or observed.dtype != np.bool_:
            got = f"shape {observed.shape} of {observed.dtype}"
            raise ValueError(f"{who} expected observed to be ({self.features},) bools, got {got}")
        known = int(observed.sum())
        if not all((p[observed] <= known).all() for p in orders):
            raise ValueError(
                f"{who} expected observed pixels to come first in every ordering, got others; in the "
                "natural order these are the first pixels of the image, row by row from the top"
            )
        return known

    def labels(self, y: Any, n: int, method: str = "loss") -> np.ndarray | None:
        """Check labels y: n integers from 0 to classes − 1; return None for a model without classes."""
        if self.classes == 0:
            expect_no_labels(self._who(method), y, self.no_labels_hint)
            return None
        return expect_labels(self._who(method), y, n, self.classes)

    def onehot(self, y: np.ndarray | None, n: int) -> np.ndarray:
        """The one-hot labels, (n, classes); an array without columns if the model has no classes."""
        return np.zeros((n, 0), self.dtype) if y is None else one_hot(y, self.classes, self.dtype)
