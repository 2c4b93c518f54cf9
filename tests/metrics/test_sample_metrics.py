"""SampleMetrics: on the reference digits themselves, and compared with values computed by hand."""

import numpy as np
import pytest

from scratchgen.metrics import (
    density_coverage,
    digit_shares,
    frechet_distance,
    kernel_distance,
    neighbours,
    precision_recall,
)
from scratchgen.metrics.samples import SampleMetrics, SampleQuality


class Pixels:
    """A classifier with three pixels as its features, and the largest of ten pixels as its digit."""

    def features(self, X):
        return X[:, :3]

    def predict(self, X):
        return X[:, :10].argmax(axis=1)


def test_reference_digits_themselves_have_a_distance_of_zero(rng):
    x = rng.random((40, 12))
    metrics = SampleMetrics(Pixels(), x, Pixels().predict(x))
    quality = metrics.measure(x)
    assert quality.frechet == pytest.approx(0, abs=1e-6) and quality.worst_share == 0
    assert metrics.accuracy == 1 and quality.nearest is None
    assert metrics.measure(np.roll(x, 1, axis=1) + 0.1).frechet > 0.01


def test_sample_quality_equals_the_single_metrics(rng):
    x, y, train, samples = rng.random((40, 12)), np.arange(40) % 10, rng.random((9, 12)), rng.random((20, 12))
    quality = SampleMetrics(Pixels(), x, y, train).measure(samples)
    assert quality.frechet == frechet_distance(samples[:, :3], x[:, :3])
    np.testing.assert_array_equal(quality.shares.share, digit_shares(samples[:, :10].argmax(axis=1)).share)
    np.testing.assert_array_equal(quality.expected, np.full(10, 0.1))
    by_hand = np.sqrt(((samples[:, None] - train[None]) ** 2).sum(axis=2)).min(axis=1)
    assert quality.nearest == pytest.approx(np.median(by_hand))
    features = samples[:, :3]
    assert (quality.precision, quality.recall) == precision_recall(x[:, :3], features)
    assert (quality.density, quality.coverage) == density_coverage(x[:, :3], features)
    assert (quality.kernel, quality.kernel_error) == kernel_distance(features, x[:, :3])


def test_neighbours_of_the_reference_digits_are_searched_once(rng, monkeypatch):
    x, searched = rng.random((40, 12)), []
    distances = neighbours.squared_distances

    def counted(A, B, unit):
        searched.append((len(A), len(B)))
        return distances(A, B, unit)

    monkeypatch.setattr(neighbours, "squared_distances", counted)
    metrics = SampleMetrics(Pixels(), x, Pixels().predict(x), k=3)
    assert searched == [(40, 40)]
    for n in (7, 9):
        searched.clear()
        assert metrics.measure(rng.random((n, 12))).recall is not None
        assert searched.count((40, 40)) == 0 and len(searched) == 3


def test_too_few_samples_for_the_neighbours_are_refused(rng):
    x = rng.random((40, 12))
    with pytest.raises(ValueError, match=r"^SampleMetrics.measure .* at least 6 examples, got 5"):
        SampleMetrics(Pixels(), x, Pixels().predict(x)).measure(x[:5])
    with pytest.raises(ValueError, match=r"SampleMetrics expected k in 1\.\.39 .*, got 40"):
        SampleMetrics(Pixels(), x, Pixels().predict(x), k=40)


def test_worst_share_is_in_percentage_points():
    shares = digit_shares(np.array([0, 0, 0, 1]))
    assert SampleQuality(0.0, shares, np.full(10, 0.1)).worst_share == pytest.approx(65)
