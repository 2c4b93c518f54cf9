"""Calibration: are 80 % of the predictions with a confidence of 80 % correct?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scratchgen.checks import expect_examples, expect_labels


class Reliability(NamedTuple):
    """One row for each bin of confidence that is not empty, all (B,).

    low, high : the bin's edges, low < confidence ≤ high
    share : fraction of all predictions;  confidence : mean confidence;  accuracy : fraction that is correct
    """

    low: np.ndarray
    high: np.ndarray
    share: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, y: np.ndarray, bins: int = 15) -> Reliability:
    """The reliability table: predictions in bins of equal width by their confidence.

    The confidence is the largest probability of a row, and the prediction its class. A classifier is
    calibrated if accuracy equals confidence (Guo et al. 2017, section 2).

    probabilities (N, C), rows that sum to 1;  y (N,). Raises ValueError for rows with another sum, for bins
    below 1 and for labels out of range, TypeError for labels that are not integers.
    """
    expect_examples("reliability", probabilities, low=0, high=1)
    if bins < 1:
        raise ValueError(f"reliability expected bins >= 1, got {bins}")
    y = expect_labels("reliability", y, len(probabilities), probabilities.shape[1])
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if np.abs(sums - 1).max() > 1e-4:
        row = int(np.abs(sums - 1).argmax())
        raise ValueError(f"reliability expected rows that sum to 1, row {row} sums to {sums[row]:g}")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == y
    edges = np.linspace(0, 1, bins + 1)
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
    """The mean difference of confidence and accuracy over the predictions (Naeini et al. 2015).

        ECE = Σ_b |B_b|/N · |accuracy_b − confidence_b|

    over the bins of `reliability`; 0 is calibrated. Takes what `reliability` takes.
    """
    table = reliability(probabilities, y, bins)
    return float((table.share * np.abs(table.accuracy - table.confidence)).sum())
