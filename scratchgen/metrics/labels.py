"""Metrics of labels: the accuracy of predictions, and the share of each class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scratchgen.checks import MISREAD, describe, expect_labels, positive


class Shares(NamedTuple):
    """The share of each class and the standard error of that share, both (C,)."""

    share: np.ndarray
    error: np.ndarray


def accuracy(predicted: np.ndarray, y: np.ndarray) -> float:
    """Compute the share of the predicted labels (N,) that equal the labels y (N,).

    Raises ValueError for arrays of different shapes and for no labels.
    """
    for labels in (predicted, y):
        if isinstance(labels, MISREAD):
            raise TypeError(f"accuracy expected arrays of labels, got {describe(labels)}")
    predicted, y = np.asarray(predicted), np.asarray(y)
    if predicted.ndim != 1 or predicted.shape != y.shape or len(y) == 0:
        raise ValueError(
            f"accuracy expected predictions and labels (N,), N ≥ 1, got {predicted.shape} and {y.shape}"
        )
    return float((predicted == y).mean())


def digit_shares(y: np.ndarray, classes: int = 10) -> Shares:
    """Compute the share of each class among labels y (N,), with its standard error.

        p_c = N_c / N,   error_c = √(p_c·(1 − p_c) / N)

    A typical use is for labels that a classifier assigns to samples. If a model never generates a digit, its
    p_c is 0 ± 0. However, a class with a true share of 3/N is also missing from N samples with probability
    1/20.

    Raises ValueError for a label outside 0 … classes − 1 and for no labels, and TypeError for labels that are
    not integers.
    """
    positive("digit_shares", classes=classes)
    y = expect_labels("digit_shares", y, np.size(y), classes)
    if len(y) == 0:
        raise ValueError("digit_shares expected at least one label, got none")
    share = np.bincount(y, minlength=classes) / len(y)
    return Shares(share, np.sqrt(share * (1 - share) / len(y)))
