"""Metrics of samples: Parzen windows, Fréchet distance, shares of digits, and k-means."""

import numpy as np
import pytest

from scratchgen.metrics import (
    choose_sigma,
    digit_shares,
    frechet_distance,
    kmeans,
    pairwise,
    parzen_log_likelihood,
)


def test_parzen_log_likelihood_by_hand():
    """One kernel is a Normal density. Two kernels, at distances 0 and 5 with width 2, are the mean of two."""
    x, sample = np.array([[1.0, 2.0, -1.0]]), np.array([[0.0, 0.0, 1.0]])
    normal = -9 / (2 * 0.25) - 1.5 * np.log(2 * np.pi * 0.25)
    assert parzen_log_likelihood(x, sample, 0.5)[0] == pytest.approx(normal, rel=1e-12)
    samples = np.array([[0.0, 0.0], [3.0, 4.0]])
    expected = np.log((1 + np.exp(-25 / 8)) / 2) - np.log(2 * np.pi * 4)
    assert parzen_log_likelihood(np.zeros((1, 2)), samples, 2.0)[0] == pytest.approx(expected, rel=1e-12)


def test_parzen_log_likelihood_is_a_density(rng):
    """It integrates to 1 on a grid in one dimension."""
    grid = np.linspace(-12, 12, 4001)
    p = np.exp(parzen_log_likelihood(grid[:, None], rng.standard_normal((7, 1)), 0.3))
    assert (p[1:] + p[:-1]).sum() / 2 * (grid[1] - grid[0]) == pytest.approx(1, rel=1e-9)


def test_parzen_log_likelihood_equals_that_of_scipy(rng, monkeypatch):
    stats = pytest.importorskip("scipy.stats")
    X, samples, sigma = rng.standard_normal((23, 3)), rng.standard_normal((40, 3)), 0.7
    kernels = [stats.multivariate_normal(s, sigma**2 * np.eye(3)).pdf(X) for s in samples]
    expected = np.log(np.mean(kernels, axis=0))
    np.testing.assert_allclose(parzen_log_likelihood(X, samples, sigma), expected, rtol=1e-9)
    monkeypatch.setattr(pairwise, "BLOCK", 5)
    np.testing.assert_allclose(parzen_log_likelihood(X, samples, sigma), expected, rtol=1e-9)


def test_parzen_log_likelihood_far_from_every_sample_stays_finite():
    """All kernels underflow there, but their logarithms do not."""
    value = parzen_log_likelihood(np.full((1, 784), 1.0, np.float32), np.zeros((3, 784), np.float32), 0.01)
    expected = -784 / (2 * 1e-4) - 392 * np.log(2 * np.pi * 1e-4)
    assert value.dtype == np.float64 and value[0] == pytest.approx(expected, rel=1e-12)


def test_choose_sigma_finds_the_likeliest(rng, monkeypatch):
    """It is the best σ of all in the list. For a single distant sample, the best is σ² = d²/D."""
    X, samples = rng.standard_normal((30, 2)), rng.standard_normal((50, 2))
    sigmas = [0.05, 0.2, 0.4, 0.8, 3.0]
    tried = [parzen_log_likelihood(X, samples, sigma).mean() for sigma in sigmas]
    monkeypatch.setattr(pairwise, "BLOCK", 7)
    assert choose_sigma(X, samples, sigmas) == sigmas[int(np.argmax(tried))] not in (0.05, 3.0)
    fine = np.linspace(1, 4, 3001)
    assert choose_sigma(np.full((1, 4), 2.5), np.zeros((1, 4)), fine) == pytest.approx(2.5, abs=1e-3)


def test_frechet_distance_by_hand():
    """On one axis the covariances are numbers: (μ₁ − μ₂)² + (s₁ − s₂)². The distance is a sum over axes."""
    X, Y = np.array([[0.0], [2.0], [4.0]]), np.array([[5.0], [6.0], [7.0]])
    assert frechet_distance(X, Y) == pytest.approx(16 + (2 - 1) ** 2, rel=1e-12)
    square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    stretched = square * [3.0, 0.5] + [0.0, 2.0]
    expected = 4 + 4 / 3 * ((3 - 1) ** 2 + (0.5 - 1) ** 2)      # four corners: variances of 4/3
    assert frechet_distance(square, stretched) == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_equals_that_with_scipys_matrix_root(rng):
    linalg = pytest.importorskip("scipy.linalg")
    X = rng.standard_normal((60, 5)) @ rng.standard_normal((5, 5))
    Y = rng.standard_normal((80, 5)) @ rng.standard_normal((5, 5)) + 0.3
    cov1, cov2 = np.cov(X, rowvar=False), np.cov(Y, rowvar=False)
    root = linalg.sqrtm(cov1 @ cov2).real
    expected = ((X.mean(0) - Y.mean(0)) ** 2).sum() + np.trace(cov1 + cov2 - 2 * root)
    assert frechet_distance(X, Y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(Y, X) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_equal_sets_is_zero_even_with_constant_features(rng):
    X = rng.standard_normal((30, 6)).astype(np.float32)
    X[:, 2] = 4.0
    X[:, 3] = X[:, 1]
    assert frechet_distance(X, X.copy()) == pytest.approx(0, abs=1e-6)
    moved = X + np.float32(0.5)
    assert frechet_distance(X, moved) == pytest.approx(6 * 0.25, rel=1e-4)


def test_digit_shares_by_hand():
    share, error = digit_shares(np.array([0, 2, 2, 2]), classes=4)
    np.testing.assert_array_equal(share, [0.25, 0, 0.75, 0])
    np.testing.assert_allclose(error, [np.sqrt(0.25 * 0.75 / 4), 0, np.sqrt(0.25 * 0.75 / 4), 0])


def test_digit_shares_errors_are_standard_deviations_of_shares(rng):
    draws = [digit_shares(rng.choice(3, 200, p=[0.1, 0.3, 0.6]), classes=3) for _ in range(2000)]
    scatter = np.std([share for share, _ in draws], axis=0)
    np.testing.assert_allclose(np.mean([error for _, error in draws], axis=0), scatter, rtol=0.08)


def test_kmeans_by_hand():
    """From centres 0 and 1, the first step gives centres 0 and 6, the second clusters {0, 1} and {8, 9}."""
    X = np.array([[0.0], [1.0], [8.0], [9.0]])
    start = np.array([[0.0], [1.0]])
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(kmeans(X, 2, rng=rng, iterations=1, centres=start), [[0.0], [6.0]])
    np.testing.assert_array_equal(kmeans(X, 2, rng=rng, centres=start), [[0.5], [8.5]])
    np.testing.assert_array_equal(start, [[0.0], [1.0]])


@pytest.mark.slow
def test_kmeans_equals_that_of_scikit_learn(rng, monkeypatch):
    cluster = pytest.importorskip("sklearn.cluster")
    X = rng.standard_normal((300, 4)) + 50
    start = X[:9]
    theirs = cluster.KMeans(9, init=start, n_init=1, tol=0, algorithm="lloyd").fit(X).cluster_centers_
    np.testing.assert_allclose(kmeans(X, 9, rng=rng, centres=start), theirs, rtol=1e-9)
    monkeypatch.setattr("scratchgen.metrics.clusters.BLOCK", 37)
    np.testing.assert_allclose(kmeans(X, 9, rng=rng, centres=start), theirs, rtol=1e-9)


def test_kmeans_plus_plus_starts_in_every_cluster():
    """Thirty distant clusters: k-means++ starts with a centre in each; uniform draws would not."""
    rng = np.random.default_rng(3)
    centres = 1e3 * rng.standard_normal((30, 2))
    X = (centres + rng.standard_normal((20, 30, 2))).reshape(-1, 2)
    centres = kmeans(X, 30, rng=rng, iterations=50)
    means = X.reshape(20, 30, 2).mean(axis=0)
    np.testing.assert_allclose(centres[np.lexsort(centres.T)], means[np.lexsort(means.T)], rtol=1e-9)


def test_kmeans_puts_an_empty_cluster_on_the_farthest_example(rng):
    X, start = np.array([[0.0], [1.0], [2.0], [40.0]]), np.array([[1.0], [-900.0]])
    once = kmeans(X, 2, rng=rng, iterations=1, centres=start)
    np.testing.assert_array_equal(once, [[43 / 4], [40.0]])
    np.testing.assert_array_equal(kmeans(X, 2, rng=rng, centres=start), [[1.0], [40.0]])


def test_kmeans_of_equal_examples_and_of_as_many_clusters_as_examples(rng):
    np.testing.assert_array_equal(kmeans(np.ones((4, 2)), 3, rng=rng), np.ones((3, 2)))
    X = rng.standard_normal((6, 2)).astype(np.float32)
    centres = kmeans(X, 6, rng=rng)
    assert centres.dtype == np.float32
    np.testing.assert_array_equal(centres[np.lexsort(centres.T)], X[np.lexsort(X.T)])


X3 = np.eye(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda rng: parzen_log_likelihood(X3, X3, 0.0), ValueError, r"sigma > 0, got \[0.0\]"),
        (lambda rng: parzen_log_likelihood(X3, X3[:, :2], 1.0), ValueError, r"\(N, 3\), got \(3, 2\)"),
        (lambda rng: parzen_log_likelihood(X3, X3 * np.nan, 1.0), ValueError, "finite numbers, got NaN"),
        (lambda rng: choose_sigma(X3, X3, []), ValueError, r"choose_sigma expected .* > 0, got \[\]"),
        (lambda rng: choose_sigma(X3, X3[:0]), ValueError, "at least 1 example"),
        (lambda rng: frechet_distance(X3, X3[:1]), ValueError, "at least 2 examples, got 1"),
        (lambda rng: frechet_distance(X3, X3[:, :2]), ValueError, r"\(N, 3\), got \(3, 2\)"),
        (lambda rng: frechet_distance(X3 - np.inf, X3), ValueError, "NaN or infinity"),
        (lambda rng: digit_shares(np.array([0, 10])), ValueError, r"labels in 0\.\.9, got 0\.\.10"),
        (lambda rng: digit_shares(np.array([], int)), ValueError, "got none"),
        (lambda rng: digit_shares(np.array([0.5])), TypeError, "integer labels, got dtype float64"),
        (lambda rng: kmeans(X3, 4, rng=rng), ValueError, r"k in 1\.\.3"),
        (lambda rng: kmeans(X3, 0, rng=rng), ValueError, r"k in 1\.\.3"),
        (lambda rng: kmeans(X3, 2, rng=rng, iterations=0), ValueError, "iterations of at least 1, got 0"),
        (lambda rng: kmeans(X3, 2, rng=rng, centres=X3), ValueError, r"shape \(2, 3\), got \(3, 3\)"),
    ],
)
def test_sample_metrics_error_messages(rng, call, error, message):
    with pytest.raises(error, match=message):
        call(rng)
