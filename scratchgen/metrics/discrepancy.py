"""The kernel distance between two sets of features, an unbiased estimate of a squared MMD."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scratchgen.checks import expect_examples, expect_int
from scratchgen.metrics.pairwise import BLOCK, unit_of

SUBSETS = 10


class KernelDistance(NamedTuple):
    """An unbiased estimate of a squared MMD, and its standard error."""

    distance: float
    error: float


def kernel_distance(X: np.ndarray, Y: np.ndarray, subsets: int = SUBSETS) -> KernelDistance:
    """Compute the squared maximum mean discrepancy of two sets of features: X (N, F), Y (M, F).

        k(x, y) = (x·y / F + 1)³                                                                (KID.1)
        MMD²    = E k(x, x′) + E k(y, y′) − 2·E k(x, y)                                         (KID.2)
        d       = mean over i ≠ j of k(x_i, x_j) + mean over i ≠ j of k(y_i, y_j)
                  − 2 · mean over all i, j of k(x_i, y_j)                                       (KID.3)

    d is the U-statistic of Gretton et al. 2012, with all pairs of different examples. Its expected value is
    the MMD² for every N and M, so for two samples of the same distribution it is 0 on average, and it is
    often negative. With features of the Inception classifier, it is the KID (Bińkowski et al. 2018, section
    4). They average (KID.3) over random subsets, whose mean has the same expected value and varies more.

    error : the standard error, from B = `subsets` disjoint subsets. Subset b has the rows b, b + B, b + 2B, …
            of X and of Y. The error is the standard deviation of their B estimates (KID.3) over √B. It is
            that of the mean of these B estimates. d varies less, so the error is an upper estimate: right
            where the distributions differ clearly, up to √B times too large where they are equal.

    MMD² is 0 if and only if moments up to the third agree. It does not change if features are rotated or
    rows are permuted. It does change if features are shifted or scaled. The error supposes that the rows are
    in random order.

    Raises TypeError for anything but arrays of float32 or float64. Raises ValueError for different numbers of
    features, and unless 2 ≤ subsets and each subset has two or more examples of both sets. Where the distance
    exceeds the largest float, it is infinite.
    """
    expect_examples("kernel_distance", X, least=2)
    expect_examples("kernel_distance", Y, features=X.shape[1], least=2)
    least = min(len(X), len(Y))
    if expect_int("kernel_distance", "subsets", subsets) < 2 or least < 2 * subsets:
        raise ValueError(
            f"kernel_distance expected subsets of at least 2, with two examples or more in each, got "
            f"{subsets} subsets of {len(X)} and {len(Y)} examples"
        )
    unit = max(unit_of(X, Y), 1.0)                              # k / unit⁶ does not overflow
    parts = np.array([_unbiased_mmd(X[b::subsets], Y[b::subsets], unit) for b in range(subsets)])
    largest = float(np.abs(parts).max()) or 1.0                 # no square underflows
    error = largest * float(np.std(parts / largest, ddof=1)) / math.sqrt(subsets)
    return KernelDistance(_in_units(_unbiased_mmd(X, Y, unit), unit), _in_units(error, unit))


def _unbiased_mmd(X: np.ndarray, Y: np.ndarray, unit: float) -> float:
    """The estimate (KID.3) from all rows of X (N, F) and Y (M, F), divided by unit⁶."""
    own = _kernel_mean(X, X, unit, same=True) + _kernel_mean(Y, Y, unit, same=True)
    return own - 2 * _kernel_mean(X, Y, unit, same=False)       # (KID.2, KID.3)


def _in_units(value: float, unit: float) -> float:
    for _ in range(6):
        value *= unit
    return value


def _kernel_mean(A: np.ndarray, B: np.ndarray, unit: float, *, same: bool) -> float:
    """The mean of k(a, b) / unit⁶ over all pairs of rows, in float64.

    same : whether A is B; the pairs of an example with itself are then left out
    """
    scale, features = np.float64(unit), A.shape[1]
    columns = (B / scale).T
    total = 0.0
    for start in range(0, len(A), BLOCK):
        part = A[start : start + BLOCK] / scale
        kernel = (part @ columns / features + (1 / scale) ** 2) ** 3            # (KID.1)
        if same:
            kernel[np.arange(len(part)), np.arange(start, start + len(part))] = 0
        total += float(kernel.sum())
    return total / (len(A) * (len(B) - 1 if same else len(B)))
