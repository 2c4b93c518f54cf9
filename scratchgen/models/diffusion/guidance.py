"""Classifier guidance: the gradient of a classifier, added to the score of a diffusion or flow model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from scratchgen.checks import expect_labels
from scratchgen.models.arguments import choice, finite

SEES = ("clean", "noisy")


class HasGradient(Protocol):
    """A classifier with a gradient ∇ₓ log p(y | x), such as ConvClassifier and MLPClassifier."""

    def log_prob_gradient(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """∇ₓ log p(y | x) of each example: X (N, D), labels y (N,) -> (N, D)."""


@dataclass(frozen=True, eq=False)
class ClassifierGuidance:
    """Guides samples towards the classes y by Bayes' theorem (Dhariwal & Nichol 2021).

        guide = ClassifierGuidance(classifier, y, strength=2.0)
        model.sample(len(y), rng=0, guide=guide)

    (GUIDE.2)  ∇ log p(x_t | y) = ∇ log p(x_t) + w·∇ log p(y | x_t)     Bayes' theorem for w = 1
    (GUIDE.3)  êps ← êps − s·w·g,  x̂_0 ← x̂_0 + (s²/a)·w·g               g = ∇ log p(y | x_t)
    (GUIDE.4)  log p(y | x_t) ≈ log p(y | x̂_0):  g = (∂x̂_0/∂x_t)ᵀ·∇ log p(y | x̂_0)

    A classifier of clean data was never trained on x_t. So it sees x̂_0, the mean of the data given x_t, and
    the gradient passes backward through the classifier and then through the network. This is an
    approximation, because the mean of p(y | x_0) over all x_0 is not p(y | mean of x_0). A classifier that
    was trained on noisy data, with the time as an input, does not need it.

    classifier : an object with the method log_prob_gradient. For sees="clean" it is called with (X, y), where
        X are data as the model was fitted to. For sees="noisy" it is called with (X, y, t), where X are noisy
        data on the scale of the network, and t in [0, 1] is the time that the network gets
    y : labels (N,), the class of each sample
    strength : w; 0 changes nothing
    sees : "clean" for a classifier of data, "noisy" for a classifier of noisy data

    Raises TypeError for a classifier without log_prob_gradient and for labels that are not integers,
    ValueError for other wrong settings.
    """

    classifier: Any
    y: np.ndarray
    strength: float = 1.0
    sees: str = "clean"

    def __post_init__(self) -> None:
        who = type(self).__name__
        if isinstance(self.classifier, type) or not callable(
            getattr(self.classifier, "log_prob_gradient", None)
        ):
            got = type(self.classifier).__name__
            raise TypeError(
                f"{who} expected a classifier with the method log_prob_gradient, such as ConvClassifier, "
                f"got {got}"
            )
        finite(who, "strength", self.strength)
        choice(who, "sees", self.sees, SEES)
        n = np.size(self.y) if self.y is not None else 0
        classes = getattr(self.classifier, "classes", None)
        y = expect_labels(who, self.y, n, classes if isinstance(classes, int) else None)
        object.__setattr__(self, "y", y)

    def of_rows(self, rows: np.ndarray) -> ClassifierGuidance:
        """The guidance of some of the samples."""
        return replace(self, y=self.y[rows])

    def gradient(self, X: np.ndarray, *time: float) -> np.ndarray:
        """∇ log p(y | x) of the classifier, (N, D), in the dtype of X. time : t, if it sees noisy data."""
        g = np.asarray(self.classifier.log_prob_gradient(X, self.y, *time))
        name = f"{type(self.classifier).__name__}.log_prob_gradient"
        if g.shape != X.shape:
            raise ValueError(
                f"{type(self).__name__} expected {name} to return shape {X.shape}, got {g.shape}"
            )
        if not np.isfinite(g).all():
            raise ValueError(
                f"{type(self).__name__} expected finite numbers from {name}, got NaN or infinity"
            )
        return g.astype(X.dtype, copy=False)


def expect_guide(who: str, guide: Any, n: int) -> ClassifierGuidance | None:
    """Check the guidance of n samples; return None if it changes nothing."""
    if guide is None:
        return None
    if not isinstance(guide, ClassifierGuidance):
        raise TypeError(f"{who} expected guide to be a ClassifierGuidance, got {type(guide).__name__}")
    if len(guide.y) != n:
        raise ValueError(f"{who} expected guide with {n} labels, one per sample, got {len(guide.y)}")
    return guide if guide.strength else None
