"""Metrics of samples from nearest neighbours: precision and recall, density and coverage.

Precision and density are low for samples that look wrong. Recall and coverage are low if samples are missing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scratchgen.checks import expect_examples, expect_int
from scratchgen.metrics.pairwise import squared_distances, unit_of

K = 5           # the default number of neighbours, as in Naeem et al. 2020
TIE = 1e-6      # squared distances with a smaller relative difference are equal: the rest is rounding


class PrecisionRecall(NamedTuple):
    """The share of samples that are near real examples, and of real examples that are near samples."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """The number of balls around a sample over the expected one, and the share of balls with a sample."""

    density: float
    coverage: float


class Hits(NamedTuple):
    """Which balls contain which points.

    balls   : the number of balls that contain a point, for each point, (M,)
    reached : whether a ball contains a point, for each ball, (N,)
    """

    balls: np.ndarray
    reached: np.ndarray


class Balls:
    """Around each point of X (N, F), the smallest closed ball that contains k of the other points.

        r_n = distance from x_n to its k-th nearest neighbour among the other points

    A second point at the same place is a neighbour at distance 0. If x_n has k of them, its ball is a point.

    who, name : of the caller and its argument, for messages

    Raises TypeError and ValueError for anything but finite floats (N, F), and for k outside 1 … N − 1.
    """

    def __init__(self, who: str, name: str, X: np.ndarray, k: int):
        expect_examples(f"{who} (its {name})", X, least=2)
        if not 1 <= expect_int(who, "k", k) < len(X):
            raise ValueError(f"{who} expected k in 1..{len(X) - 1} (the other {name}), got {k}")
        self.centres, self.k = X, k
        self.radii, unit = np.empty(len(X)), unit_of(X)
        for rows, squared in squared_distances(X, X, unit):
            squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = np.inf  # itself
            self.radii[rows] = unit * np.sqrt(np.partition(squared, k - 1, axis=1)[:, k - 1])   # (PRDC.1)

    def hits(self, Y: np.ndarray) -> Hits:
        """Find which balls contain which points of Y (M, F). A point on the surface is inside."""
        unit = unit_of(self.centres, Y)
        limit = (self.radii / unit) ** 2 * (1 + TIE)
        balls, reached = np.zeros(len(Y), np.int64), np.empty(len(self.radii), bool)
        for rows, squared in squared_distances(self.centres, Y, unit):
            inside = squared <= limit[rows, None]               # (B, M)
            balls += inside.sum(axis=0)
            reached[rows] = inside.any(axis=1)
        return Hits(balls, reached)


def precision_recall(X: np.ndarray, samples: np.ndarray, k: int = K) -> PrecisionRecall:
    """Compute improved precision and recall of the features of samples: X (N, F), samples (M, F).

        r_n       = distance from x_n to its k-th nearest other real example                    (PRDC.1)
        precision = share of the samples y_m for which ‖y_m − x_n‖ ≤ r_n for some n             (PRDC.2)
        recall    = share of the x_n for which ‖x_n − y_m‖ ≤ s_m for some m                     (PRDC.3)

    s_m is the radius (PRDC.1) of the sample y_m among the samples. The balls around the real examples
    approximate the region of the data, and those around the samples that of the model (Kynkäänniemi et al.
    2019, section 2, with k = 3 and 50,000 examples). Distances that differ by rounding alone are equal, and
    a point on the surface of a ball is inside.

    A single real outlier has a large ball, and samples that scatter have large balls too: the first raises
    precision, the second recall. See density_coverage. Both values depend on N and M, and for true examples
    in place of samples, they are below 1. So compare values for the same N, M and k with those of true
    examples.

    Raises TypeError for anything but arrays of float32 or float64, and ValueError for different numbers of
    features and for k outside 1 … N − 1 or 1 … M − 1.
    """
    real = Balls("precision_recall", "real examples", X, k)
    expect_examples("precision_recall (its samples)", samples, features=X.shape[1])
    generated = Balls("precision_recall", "samples", samples, k)
    return precision_recall_of(real.hits(samples), generated.hits(X))


def precision_recall_of(real: Hits, generated: Hits) -> PrecisionRecall:
    """Precision and recall.  real : samples in balls around real examples;  generated : the reverse."""
    precision = (real.balls > 0).mean()                         # (PRDC.2)
    recall = (generated.balls > 0).mean()                       # (PRDC.3)
    return PrecisionRecall(float(precision), float(recall))


def density_coverage(X: np.ndarray, samples: np.ndarray, k: int = K) -> DensityCoverage:
    """Compute density and coverage of the features of samples: X (N, F), samples (M, F).

        r_n      = distance from x_n to its k-th nearest other real example                     (PRDC.1)
        density  = 1/(k·M)·Σ_m (number of n for which ‖y_m − x_n‖ ≤ r_n)                        (PRDC.4)
        coverage = share of the x_n for which ‖y_m − x_n‖ ≤ r_n for some m                      (PRDC.5)

    Both use the balls around the real examples only (Naeem et al. 2020, section 3). Density counts balls,
    where precision asks for one, so a single outlier changes it little; it may be above 1. If the samples
    have the distribution of the real examples, without ties, the expected values are known:

        E[density]  = 1                                                                         (PRDC.6)
        E[coverage] = 1 − Π_{i=1}^{k} (N − i) / (N + M − i)      about 1 − 2⁻ᵏ for N = M        (PRDC.7)

    Distances that differ by rounding alone are equal, and a point on the surface of a ball is inside.

    Raises TypeError for anything but arrays of float32 or float64, and ValueError for different numbers of
    features and for k outside 1 … N − 1.
    """
    real = Balls("density_coverage", "real examples", X, k)
    expect_examples("density_coverage (its samples)", samples, features=X.shape[1])
    return density_coverage_of(real.hits(samples), k)


def density_coverage_of(real: Hits, k: int) -> DensityCoverage:
    """Density and coverage.  real : samples in balls around real examples."""
    density = real.balls.mean() / k                             # (PRDC.4), 1 on average (PRDC.6)
    coverage = real.reached.mean()                              # (PRDC.5)
    return DensityCoverage(float(density), float(coverage))


def expected_coverage(n: int, m: int, k: int = K) -> float:
    """The expected coverage of n real examples by m samples of the same distribution, for 1 ≤ k < n."""
    return 1 - math.prod((n - i) / (n + m - i) for i in range(1, k + 1))        # (PRDC.7)
