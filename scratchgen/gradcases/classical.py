"""The gradient cases of the textbook's classifiers, and of the hidden Markov model."""

from __future__ import annotations

from scratchgen.gradcases.base import ModelCase
from scratchgen.models import HiddenMarkovModel, LinearSVM, LogisticRegression

CLASSICAL = (
    ModelCase(
        "LogisticRegression",
        lambda rng, dtype: LogisticRegression(9, 3, l2=0.3, dtype=dtype),
        (5, 9),
        classes=3,
    ),
    ModelCase(
        "LinearSVM",
        lambda rng, dtype: LinearSVM(9, 3, l2=0.3, dtype=dtype),
        (5, 9),
        classes=3,
        smooth=False,
    ),
    ModelCase(
        "HiddenMarkovModel Gaussian",
        lambda rng, dtype: HiddenMarkovModel.gaussian(3, rng=rng, dtype=dtype),
        (5, 9),
    ),
)
