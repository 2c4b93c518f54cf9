"""Calibration: whether predictions with a probability of 80 % are right in 80 % of the cases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scratchgen.checks import expect_count, expect_examples, expect_labels


class Reliability(NamedTuple):
    """The result of `reliability`, with one entry for each non-empty bin; all fields have shape (B,).

    low, high  : the edges of the bin, low < confidence ≤ high
    share      : the share of all predictions that are in the bin
    confidence : the mean confidence of the predictions in the bin
    accuracy   : the share of the predictions in the bin that are right
    """

    low: np.ndarray
    high: np.ndarray
    share: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, y: np.ndarray, bins: int = 15) -> Reliability:
    """Compute the reliability table: predictions are divided into bins of equal width by their confidence.

    The confidence of a prediction is the largest probability in its row, and the predicted class is the
    position of this probability. A classifier is calibrated if accuracy equals confidence in every bin
    (Guo et al. 2017, section 2).

    probabilities (N, C), each row sums to 1;  y (N,).
    Raises ValueError for rows that do not sum to 1, for bins < 1 and for labels out of range, and TypeError
    for labels that are not integers.
    """
    return _reliability("reliability", probabilities, y, bins)


def _reliability(who: str, probabilities: np.ndarray, y: np.ndarray, bins: int) -> Reliability:
    expect_examples(who, probabilities, low=0, high=1)
    expect_count(who, "bins", bins)
    y = expect_labels(who, y, len(probabilities), probabilities.shape[1])
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if np.abs(sums - 1).max() > 1e-4:
        row = int(np.abs(sums - 1).argmax())
        raise ValueError(f"{who} expected rows that sum to 1, but row {row} sums to {sums[row]:g}")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == y
    edges = np.arange(bins + 1) / bins      # rounded once, so that a confidence of 5/6 is not above 5/6
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    sum_confidence = np.bincount(place, confidence, bins)[filled]
    sum_right = np.bincount(place, right, bins)[filled]
    counts = counts[filled]
    return Reliability(
        edges[:-1][filled], edges[1:][filled], counts / len(y), sum_confidence / counts, sum_right / counts
    )


def expected_calibration_error(probabilities: np.ndarray, y: np.ndarray, bins: int = 15) -> float:
    """Compute the mean difference between confidence and accuracy over the predictions (Naeini et al. 2015).

        ECE = Σ_b |B_b|/N · |accuracy_b − confidence_b|

    The sum is over the bins of `reliability`, which takes the same arguments and raises the same errors. 0
    means calibrated.
    """
    table = _reliability("expected_calibration_error", probabilities, y, bins)
    return float((table.share * np.abs(table.accuracy - table.confidence)).sum())
