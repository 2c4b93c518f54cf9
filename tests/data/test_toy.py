"""Toy densities: they integrate to one, and their samples follow the density."""

import math

import numpy as np
import pytest

from scratchgen.data import (
    GaussianMixture,
    GaussianMixture1D,
    checkerboard,
    eight_gaussians,
    pinwheel,
    two_moons,
    two_spirals,
)

PLANE = [eight_gaussians, two_moons, pinwheel, checkerboard, two_spirals]


def mixture():
    return GaussianMixture1D(weights=[0.2, 0.5, 0.3], means=[-2.0, 0.5, 3.0], stds=[0.3, 0.8, 0.5])


def grid(half_width, per_unit):
    """The midpoints of small squares on [-half_width, half_width]², and the area of a square."""
    side = (np.arange(-half_width * per_unit, half_width * per_unit) + 0.5) / per_unit
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2), per_unit**-2


@pytest.mark.parametrize("make", PLANE)
@pytest.mark.slow
def test_density_integrates_to_one(make):
    points, area = grid(half_width=5, per_unit=16)
    assert np.exp(make().log_density(points)).sum() * area == pytest.approx(1, abs=1e-4)


def test_density_in_one_dimension_integrates_to_one():
    x = np.linspace(-10, 10, 2001)[:, None]
    assert np.exp(mixture().log_density(x)).sum() * 0.01 == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("make", PLANE)
@pytest.mark.slow
def test_samples_per_square_match_the_density(make, rng):
    n, per_square = 5_000, 10
    density = make()
    points, area = grid(half_width=5, per_unit=16)
    mass = (np.exp(density.log_density(points)) * area).reshape(10, 16, 10, 16).sum(axis=(1, 3))
    X = density.sample(n, rng=rng)
    counts = np.histogram2d(X[:, 0], X[:, 1], bins=[np.arange(-5, 6)] * 2)[0]
    often = mass * n >= per_square
    expected = np.append(n * mass[often], n * (1 - mass[often].sum()))
    got = np.append(counts[often], n - counts[often].sum())
    keep = expected > 1e-6 * n
    assert got[~keep].sum() == 0
    assert chi_square_is_plausible(got[keep], expected[keep])


def test_samples_per_interval_match_the_density_in_one_dimension(rng):
    edges = np.array([-np.inf, -2.2, -1.9, -1, 0, 0.5, 1, 1.7, 2.5, 3, 3.4, np.inf])
    density, n = mixture(), 5_000
    z = (edges[:, None] - density.means[:, 0]) / density.stds / math.sqrt(2)
    cdf = (density.weights * 0.5 * (1 + np.vectorize(math.erf)(z))).sum(axis=1)
    X = density.sample(n, rng=rng)
    assert X.shape == (n, 1)
    assert chi_square_is_plausible(np.histogram(X[:, 0], bins=edges)[0], n * np.diff(cdf))


def chi_square_is_plausible(got, expected):
    """Whether chi-square is within five standard deviations of its mean, the number of cells minus one."""
    freedom = len(expected) - 1
    return ((got - expected) ** 2 / expected).sum() < freedom + 5 * math.sqrt(2 * freedom)


def test_chi_square_detects_a_slightly_wrong_density(rng):
    narrow = GaussianMixture1D([1], [0], [1]).sample(5_000, rng=rng)[:, 0]
    wide = GaussianMixture1D([1], [0], [1.1])
    edges = np.linspace(-2, 2, 9)
    points = np.linspace(-2, 2, 8001)[:-1, None] + 2.5e-4
    mass = np.exp(wide.log_density(points)).reshape(8, 1000).sum(axis=1) * 5e-4
    assert not chi_square_is_plausible(np.histogram(narrow, bins=edges)[0], 5_000 * mass)


@pytest.mark.parametrize("make", [mixture, eight_gaussians])
def test_mixture_samples_have_the_moments_of_the_mixture(make, rng):
    density, n = make(), 20_000
    X = density.sample(n, rng=rng)
    mean = density.weights @ density.means
    spread = density.means - mean
    cov = (density.weights * spread.T) @ spread + density.weights @ density.stds**2 * np.eye(density.dim)
    assert X.mean(axis=0) == pytest.approx(mean, abs=5 * math.sqrt(cov.max() / n))
    assert np.atleast_2d(np.cov(X.T)) == pytest.approx(cov, abs=0.05 * cov.max())


def test_mixture_log_density_equals_the_formula_and_does_not_underflow():
    X = np.array([[0.0, 0.0], [3.0, -1.0], [1e4, 0.0]])
    density = GaussianMixture([0.25, 0.75], [[0, 0], [3, 0]], [1, 2])
    near, far = X[:2], X[2]
    parts = [
        w * np.exp(-((near - m) ** 2).sum(axis=1) / (2 * s**2)) / (2 * math.pi * s**2)
        for w, m, s in ((0.25, (0, 0), 1), (0.75, (3, 0), 2))
    ]
    assert density.log_density(near) == pytest.approx(np.log(sum(parts)), abs=1e-12)
    tail = math.log(0.75 / (2 * math.pi * 4)) - (far[0] - 3) ** 2 / 8
    assert density.log_density(X)[2] == pytest.approx(tail, rel=1e-12)


def test_checkerboard_is_uniform_on_its_dark_squares():
    points = np.array([[-3.0, -3.0], [-1.0, -3.0], [3.0, 3.0], [5.0, 3.0], [-5.0, -5.0], [1.0, -1.0]])
    expected = [-math.log(32), -np.inf, -math.log(32), -np.inf, -np.inf, -np.inf]
    assert checkerboard().log_density(points).tolist() == expected


def test_pinwheel_density_has_five_blades_in_the_same_direction(rng):
    density = pinwheel()
    X = density.sample(200, rng=rng)
    before = density.log_density(X)
    fifth = 2 * math.pi / 5
    by_a_fifth = np.array([[math.cos(fifth), math.sin(fifth)], [-math.sin(fifth), math.cos(fifth)]])
    by_a_quarter = np.array([[0, 1], [-1, 0]])
    mirrored = np.array([[1, 0], [0, -1]])
    assert density.log_density(X @ by_a_fifth) == pytest.approx(before, abs=1e-9)
    assert density.log_density(X @ by_a_quarter).mean() < before.mean() - 1
    assert density.log_density(X @ mirrored).mean() < before.mean() - 1


@pytest.mark.parametrize("make", [two_moons, two_spirals])
def test_curve_quadrature_has_converged(make, rng):
    density = make()
    X = density.sample(100, rng=rng) + 5 * density.noise * rng.standard_normal((100, 2))
    got = density.log_density(X)
    density.panels *= 3
    assert got == pytest.approx(density.log_density(X), abs=1e-9)


@pytest.mark.parametrize("make", [two_moons, two_spirals])
def test_curve_density_equals_a_monte_carlo_average(make, rng):
    # A Monte Carlo average over the same curve: with 400,000 draws of t its error is about one per cent.
    density = make()
    X = density.sample(4, rng=rng)
    clean = type(density)(density.curves, density.length, density.power, noise=0.0)
    centres = clean.sample(400_000, rng=rng)
    kernel = [np.exp(-((x - centres) ** 2).sum(axis=1) / (2 * density.noise**2)).mean() for x in X]
    assert np.exp(density.log_density(X)) == pytest.approx(
        np.array(kernel) / (2 * math.pi * density.noise**2), rel=0.05
    )


@pytest.mark.parametrize("make", [*PLANE, mixture])
def test_samples_depend_on_the_seed_and_not_on_labels(make):
    density = make()
    X, y = density.sample(300, rng=np.random.default_rng(5), labels=True)
    assert np.array_equal(X, density.sample(300, rng=np.random.default_rng(5)))
    assert not np.array_equal(X, density.sample(300, rng=np.random.default_rng(6)))
    assert X.shape == (300, density.dim) and X.dtype == np.float64
    assert y.dtype == np.int64 and set(y) == set(range(density.classes))
    assert np.isfinite(density.log_density(X)).all()


@pytest.mark.parametrize("make", [two_moons, two_spirals])
def test_curve_labels_are_those_of_the_nearer_curve(make, rng):
    density = make()
    X, y = density.sample(300, rng=rng, labels=True)
    curves = density.curves(np.linspace(0, density.length, 500))
    nearest = ((X[:, None, None] - curves) ** 2).sum(axis=-1).min(axis=2).argmin(axis=1)
    assert (nearest == y).mean() > 0.99


def test_checkerboard_and_mixture_labels_number_the_parts(rng):
    X, y = checkerboard().sample(300, rng=rng, labels=True)
    row, column = np.floor((X.T[::-1] + 4) / 2).astype(int)
    assert np.array_equal(y, 2 * row + column // 2)
    X, y = eight_gaussians().sample(300, rng=rng, labels=True)
    assert (np.rint(np.arctan2(X[:, 1], X[:, 0]) / (math.pi / 4)) % 8 == y).mean() > 0.99


@pytest.mark.parametrize("make", [*PLANE, mixture])
def test_density_rejects_bad_input(make, rng):
    density = make()
    with pytest.raises(ValueError, match=rf"expected points of shape \(N, {density.dim}\), got \(4, 3\)"):
        density.log_density(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="expected finite points"):
        density.log_density(np.full((1, density.dim), np.nan))
    with pytest.raises(ValueError, match="n of at least 1, got 0"):
        density.sample(0, rng=rng)
    with pytest.raises(TypeError, match="expected rng to be a numpy.random.Generator or an integer seed"):
        density.sample(1, rng=None)
    same = density.sample(5, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(density.sample(5, rng=3), same)
    assert density.log_density(np.zeros((0, density.dim))).shape == (0,)


@pytest.mark.parametrize(
    ("weights", "means", "stds", "message"),
    [
        ([1.0], [0, 1], [1, 1], r"expected weights \(K,\)"),
        ([0.5, 0.5], [0, 1], [1], r"expected weights \(K,\)"),
        ([], [], [], r"expected weights \(K,\)"),
        ([0.5, 0.6], [0, 1], [1, 1], r"positive weights with sum 1, got \[0.5, 0.6\]"),
        ([-0.5, 1.5], [0, 1], [1, 1], "positive weights with sum 1"),
        ([0.5, 0.5], [0, 1], [1, 0], "positive stds"),
        ([0.5, 0.5], [0, np.nan], [1, 1], "finite means"),
    ],
)
def test_mixture_rejects_invalid_parameters(weights, means, stds, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture1D(weights, means, stds)
