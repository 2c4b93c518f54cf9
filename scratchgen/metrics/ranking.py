"""The area under the ROC curve, a measure of how well a score ranks examples."""

from __future__ import annotations

import numpy as np

from scratchgen.checks import MISREAD, describe


def auroc(scores: np.ndarray, y: np.ndarray) -> float:
    """Compute the probability that a positive example has a higher score than a negative one.

        AUROC = (R₊ − N₊·(N₊ + 1)/2) / (N₊·N₋),   R₊ = the sum of the positives' ranks, which count from 1

    Ties count one half, since equal scores all get the mean of their ranks. The AUROC is the area under the
    ROC curve, and the Mann-Whitney U divided by N₊·N₋ (Hanley & McNeil 1982). 1 is a perfect ranking, ½ is
    chance, 0 is reversed.

    scores (N,), higher for y = 1;  y (N,), 0 or 1 (or bool). Infinite scores are ranked like any other.
    Raises ValueError for a NaN, for labels that are neither 0 nor 1, and if one of the two labels is missing.
    """
    for name, given in (("scores", scores), ("labels", y)):
        if isinstance(given, MISREAD):
            raise TypeError(f"auroc expected an array of {name}, got {describe(given)}")
    scores, y = np.asarray(scores), np.asarray(y)
    if scores.dtype.kind not in "fiub" or y.dtype.kind not in "fiub":
        raise TypeError(f"auroc expected scores and labels of numbers, got {scores.dtype} and {y.dtype}")
    if scores.ndim != 1 or scores.shape != y.shape:
        raise ValueError(f"auroc expected scores and labels (N,), got {scores.shape} and {y.shape}")
    if np.isnan(scores).any():
        first = np.argmax(np.isnan(scores))
        raise ValueError(f"auroc expected scores without NaN, got NaN (first at index {first})")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"auroc expected labels 0 and 1, got {np.unique(y)[:5]}")
    positive = y.astype(bool)
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        raise ValueError(f"auroc expected examples of both labels, got {n1} of label 1 and {n0} of label 0")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]       # (N,), ties get their mean rank
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))
