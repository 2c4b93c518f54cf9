"""What models of black and white pixels share: what they take for data, and how they are trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import expect_examples, expect_labels, expect_no_labels
from scratchgen.data import binarise
from scratchgen.models.base import Model

BINARISATIONS = {
    "none": "0 or 1 as they are",
    "dynamic": "binarised anew each time: a grey pixel is the probability of a 1",
}


class BinaryModel(Model):
    """A model with an exact likelihood of rows of D pixels, each 0 or 1.

    binarisation : what `fit` does with grey pixels: "none" refuses them, "dynamic" draws every pixel anew
        each time that it is seen, with its grey value as the probability of a 1
    classes : how many labels the model is told apart by; 0 for a model that knows of none
    """

    likelihood = "exact"

    def __init__(self, features: int, *, classes: int = 0, binarisation: str = "none"):
        who = type(self).__name__
        if binarisation not in BINARISATIONS:
            known = ", ".join(BINARISATIONS)
            raise ValueError(f"{who} expected a binarisation out of {known}, got {binarisation!r}")
        if classes < 0:
            raise ValueError(f"{who} expected classes >= 0, got {classes}")
        self.features, self.classes, self.binarisation = features, classes, binarisation

    @property
    def data_note(self) -> str:
        """One line that says what the pixels are, for whoever reports a figure."""
        return f"Bernoulli pixels, {BINARISATIONS[self.binarisation]}"

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Check X (N, D), and labels y (N,) if the model has classes."""
        if self.binarisation == "none":
            self.expect_binary("fit", X)
        else:
            expect_examples(self._who("fit"), X, features=self.features, low=0, high=1)
        return X, self.labels(y, len(X), "fit")

    def check_augment(self) -> None:
        """Raise ValueError unless augmented pixels are binarised, as the model's pixels are 0 or 1."""
        if self.binarisation != "dynamic":
            raise ValueError(
                f"{self._who('fit')} with augment expected binarisation 'dynamic', got {self.binarisation!r}"
            )

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Binarise the batch, for binarisation 'dynamic'."""
        x, *labels = batch
        return (binarise(x, rng=rng) if self.binarisation == "dynamic" else x, *labels)

    def expect_binary(self, verb: str, X: np.ndarray) -> None:
        """Raise ValueError unless X is (N, D) of the model's D, and 0 or 1 everywhere."""
        who = f"{type(self).__name__}.{verb}"
        expect_examples(who, X, features=self.features, low=0, high=1)
        if np.any((X != 0) & (X != 1)):
            raise ValueError(
                f"{who} expected pixels that are 0 or 1, got grey ones; draw them with "
                f"data.binarise(X, rng=rng), or train with binarisation='dynamic'"
            )

    def only_observed(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """X (N, D), 0 or 1 where it is observed, with 0 for all other pixels; they may have been anything."""
        who = f"{type(self).__name__}.complete"
        if not isinstance(X, np.ndarray) or X.ndim != 2 or X.shape[1] != self.features:
            got = X.shape if isinstance(X, np.ndarray) else type(X).__name__
            raise ValueError(f"{who} expected an array of shape (N, {self.features}), got {got}")
        known = np.where(observed, X, 0).astype(X.dtype)
        self.expect_binary("complete", known)
        return known.astype(self.dtype)

    def known_places(self, observed: np.ndarray, orders: Any) -> int:
        """How many pixels are observed. Raises ValueError unless they come first in each of the orders."""
        who = f"{type(self).__name__}.complete"
        observed = np.asarray(observed)
        if observed.shape != (self.features,) or observed.dtype != np.bool_:
            got = f"shape {observed.shape} of {observed.dtype}"
            raise ValueError(f"{who} expected observed as ({self.features},) bools, got {got}")
        known = int(observed.sum())
        if not all((p[observed] <= known).all() for p in orders):
            raise ValueError(
                f"{who} expected observed pixels that come first in every ordering, got others; in the "
                f"natural order they are whole rows from the top"
            )
        return known

    def labels(self, y: Any, n: int, verb: str = "loss") -> np.ndarray | None:
        """Return labels y, checked: n integers from 0 to classes − 1; None for a model without classes."""
        who = self._who(verb)
        if self.classes == 0:
            expect_no_labels(who, y, "build the model with classes= to use them")
            return None
        return expect_labels(who, y, n, self.classes)

    def onehot(self, y: np.ndarray | None, n: int) -> np.ndarray:
        """A row of zeros with one 1 for each label, (n, classes); with no classes it has no columns."""
        out = np.zeros((n, self.classes), self.dtype)
        if y is not None:
            out[np.arange(n), y] = 1
        return out
