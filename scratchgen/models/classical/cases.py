"""The gradient cases of the classical classifiers, and of the hidden Markov model."""

from __future__ import annotations

from scratchgen.gradcheck.cases import ModelCase
from scratchgen.models.classical import (
    ConvClassifier,
    HiddenMarkovModel,
    LinearSVM,
    LogisticRegression,
    MLPClassifier,
)

MODELS = (
    ModelCase(
        "ConvClassifier",
        lambda rng, dtype: ConvClassifier((2, 3, 2), 5, 4, rng=rng, dtype=dtype),
        (3, 784),
        classes=4,
    ),
    ModelCase(
        "MLPClassifier",
        lambda rng, dtype: MLPClassifier((9, 7, 3), rng=rng, dtype=dtype),
        (5, 9),
        classes=3,
    ),
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
