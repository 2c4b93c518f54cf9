"""The quality of generated digits, measured with the features and predictions of a trained classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scratchgen.checks import expect_examples, expect_labels
from scratchgen.metrics.discrepancy import SUBSETS, kernel_distance
from scratchgen.metrics.distances import frechet_distance, nearest_distance
from scratchgen.metrics.labels import Shares, accuracy, digit_shares
from scratchgen.metrics.neighbours import Balls, K, density_coverage_of, precision_recall_of

DIGITS = 10     # the number of classes
LEAST = 4       # examples, for two subsets of two in the error of the kernel distance


class FeatureClassifier(Protocol):
    """A classifier that also computes features, such as models.ConvClassifier."""

    def features(self, X: np.ndarray) -> np.ndarray: ...
    def predict(self, X: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class SampleQuality:
    """The result of SampleMetrics.measure.

    frechet  : Fréchet distance between the features of the samples and of the reference digits
    shares   : share of each digit among the samples, as predicted by the classifier
    expected : share of each digit among the reference digits, (10,)
    nearest  : median distance from a sample to the nearest training digit; None without training digits

    The following compare the same features. They are None in results of versions that did not measure them.

    precision, density : low if samples do not look like reference digits
    recall, coverage   : low if some reference digits have no sample like them
    kernel, kernel_error : kernel distance and its standard error
    """

    frechet: float
    shares: Shares
    expected: np.ndarray
    nearest: float | None = None
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    coverage: float | None = None
    kernel: float | None = None
    kernel_error: float | None = None

    @property
    def worst_share(self) -> float:
        """The largest difference between the share of a digit and the expected one, in percentage points."""
        return float(100 * np.abs(self.shares.share - self.expected).max())


class SampleMetrics:
    """Compares samples with reference digits.

    The features of the reference digits, and the distances between their neighbours, are computed once.

    classifier : its methods are features, (N, D) -> (N, F), and predict, (N, D) -> (N,)
    X, y  : reference digits (N, D), usually the test set, and their labels (N,)
    train : training digits (M, D), among which the nearest one is searched; None to skip this
    k     : number of neighbours for precision, recall, density and coverage
    """

    def __init__(
        self,
        classifier: FeatureClassifier,
        X: np.ndarray,
        y: np.ndarray,
        train: np.ndarray | None = None,
        k: int = K,
    ):
        for method in ("features", "predict"):
            if not callable(getattr(classifier, method, None)):
                raise TypeError(
                    f"SampleMetrics expected a classifier with the method {method}, got {classifier!r}"
                )
        expect_examples("SampleMetrics", X, least=LEAST)
        y = expect_labels("SampleMetrics", y, len(X), DIGITS)
        if train is not None:
            expect_examples("SampleMetrics", train, features=X.shape[1])
        self.classifier, self.train = classifier, train
        self.features = classifier.features(X)
        self.balls = Balls("SampleMetrics", "reference digits", self.features, k)
        self.expected = digit_shares(y, DIGITS).share
        self.accuracy = accuracy(classifier.predict(X), y)

    def measure(self, samples: np.ndarray) -> SampleQuality:
        """Measure the quality of samples (n, D) with values in [0, 1].

        Raises ValueError for n ≤ k and for n < LEAST. The error of the kernel distance is measured with fewer
        than 10 subsets if n or the number of reference digits is below 20.
        """
        expect_examples("SampleMetrics.measure (its samples)", samples, least=max(self.balls.k + 1, LEAST))
        features = self.classifier.features(samples)
        generated = Balls("SampleMetrics.measure", "samples", features, self.balls.k)
        hits = self.balls.hits(features)
        kernel, error = kernel_distance(
            features, self.features, min(SUBSETS, len(features) // 2, len(self.features) // 2)
        )
        return SampleQuality(
            frechet=frechet_distance(features, self.features),
            shares=digit_shares(self.classifier.predict(samples), DIGITS),
            expected=self.expected,
            nearest=None if self.train is None else float(np.median(nearest_distance(samples, self.train))),
            **precision_recall_of(hits, generated.hits(self.features))._asdict(),
            **density_coverage_of(hits, self.balls.k)._asdict(),
            kernel=kernel,
            kernel_error=error,
        )
