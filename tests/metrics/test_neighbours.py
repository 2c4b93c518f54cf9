"""Precision, recall, density and coverage: by hand on a line, by brute force, and what must not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scratchgen.metrics import density_coverage, neighbours, pairwise, precision_recall
from scratchgen.metrics.neighbours import Balls


def line(*points):
    return np.array(points, float)[:, None]


def all_four(X, samples, k):
    return np.array([*precision_recall(X, samples, k), *density_coverage(X, samples, k)])


def by_hand(X, samples, k):
    """All four from the full matrices of distances."""

    def distances(A, B):
        return np.sqrt(((A[:, None] - B[None]) ** 2).sum(axis=2))

    def radii(A):
        return np.array([np.sort(np.delete(row, i))[k - 1] for i, row in enumerate(distances(A, A))])

    between = distances(X, samples)
    inside = between <= radii(X)[:, None] * (1 + 1e-9)
    near_samples = between <= radii(samples) * (1 + 1e-9)
    return np.array(
        [inside.any(axis=0).mean(), near_samples.any(axis=1).mean(), inside.sum() / (k * len(samples)),
         inside.any(axis=1).mean()]
    )  # fmt: skip


# (PRDC.1, PRDC.2, PRDC.3, PRDC.4, PRDC.5)
def test_values_on_a_line_by_hand():
    """For k = 1, the radii of 0, 1, 3 and 10 are 1, 1, 2 and 7, and those of 2, 4 and 30 are 2, 2 and 26.

    The sample 2 is in the balls of 1 (on its surface) and 3, the sample 4 in those of 3 and 10, and 30 in
    none. Of the real points, 0, 1 and 3 are near 2 or 4, and 10 is in the large ball of 30.
    """
    X, samples = line(0, 1, 3, 10), line(2, 4, 30)
    np.testing.assert_array_equal(Balls("f", "points", X, 1).radii, [1, 1, 2, 7])
    np.testing.assert_array_equal(Balls("f", "points", samples, 1).radii, [2, 2, 26])
    assert precision_recall(X, samples, k=1) == (2 / 3, 1)
    assert density_coverage(X, samples, k=1) == (4 / 3, 3 / 4)
    np.testing.assert_array_equal(Balls("f", "points", X, 2).radii, [3, 2, 3, 9])
    assert density_coverage(X, samples, k=2) == ((3 + 3) / (2 * 3), 1)


def test_duplicates_are_neighbours_at_distance_zero():
    """Points with k duplicates have a ball of radius 0, which contains equal points and no others."""
    X = np.repeat([[0.1, 0.7], [0.3, -5.2]], 3, axis=0)
    np.testing.assert_array_equal(Balls("f", "points", X, 2).radii, np.zeros(6))
    assert precision_recall(X, X[:3] + 0.0, k=2) == (1, 0.5)
    assert precision_recall(X, X[:3] + 1e-9, k=2) == (0, 0)
    assert density_coverage(X, X[:4].copy(), k=2) == (12 / 8, 1)


def test_a_point_on_the_surface_is_inside_whatever_the_rounding(rng):
    """The surface of each ball goes through the k-th neighbour, so of its own points a ball has k + 1."""
    for offset in (0.0, 1e3):
        X = rng.standard_normal((90, 7)) + offset
        hits = Balls("f", "points", X, 4).hits(X[::-1].copy())
        assert hits.balls.sum() == 5 * len(X) and hits.reached.all()
        assert density_coverage(X, X.copy(), k=4) == (5 / 4, 1)
        assert precision_recall(X, X.copy(), k=4) == (1, 1)


@pytest.mark.parametrize("k", [1, 4])
def test_values_equal_those_from_all_distances(rng, k, monkeypatch):
    monkeypatch.setattr(pairwise, "BLOCK", 17)
    X = rng.standard_normal((60, 4))
    samples = X[rng.integers(0, 25, 45)] + 0.8 * rng.standard_normal((45, 4))
    expected = by_hand(X, samples, k)
    assert (expected > 0.2).all() and (expected[[0, 1, 3]] < 1).all()
    np.testing.assert_allclose(all_four(X, samples, k), expected, rtol=1e-12)


def test_values_equal_those_of_prdc(rng):
    prdc = pytest.importorskip("prdc")
    X = rng.standard_normal((80, 5))
    samples = X[rng.integers(0, 80, 120)] + 0.5 * rng.standard_normal((120, 5))
    theirs = prdc.compute_prdc(X, samples, nearest_k=5)
    expected = [theirs[name] for name in ("precision", "recall", "density", "coverage")]
    np.testing.assert_allclose(all_four(X, samples, 5), expected, rtol=1e-12)


small = arrays.arrays(
    np.float64, st.tuples(st.integers(3, 9), st.just(2)), elements=st.integers(-4, 4).map(float)
)


@settings(max_examples=30)
@given(X=small, samples=small, k=st.integers(1, 2), data=st.data())
def test_order_unit_place_and_orientation_do_not_matter(X, samples, k, data):
    """The points are on a grid, so there are many ties and duplicates."""
    expected = all_four(X, samples, k)
    np.testing.assert_allclose(expected, by_hand(X, samples, k), rtol=1e-12)
    order = data.draw(st.permutations(range(len(X))))
    turned = np.array([[0.6, -0.8], [0.8, 0.6]])
    for change in (
        lambda a: a * 1e-200, lambda a: a * 3e200, lambda a: a + [0.1, 1e4], lambda a: a @ turned,
        lambda a: (a * 0.1).astype(np.float64), lambda a: a.astype(np.float32), lambda a: a[:, ::-1],
    ):  # fmt: skip
        np.testing.assert_array_equal(all_four(change(X), change(samples), k), expected)
    np.testing.assert_array_equal(all_four(X[order], samples[::-1], k), expected)


@settings(max_examples=40)
@given(X=small, samples=small)
def test_bounds_and_more_neighbours_never_lower_them(X, samples):
    one, two = (all_four(X, samples, k) for k in (1, 2))
    assert (one >= 0).all() and (one[[0, 1, 3]] <= 1).all() and one[2] <= len(X)
    assert (two[[0, 1, 3]] >= one[[0, 1, 3]]).all()             # larger balls
    assert precision_recall(X, samples, 1) == precision_recall(samples, X, 1)[::-1]
    assert (one[2] == 0) == (one[0] == 0) == (one[3] == 0)


@pytest.mark.parametrize(("n", "m", "k"), [(12, 12, 3), (10, 25, 2)])
def test_expected_values_for_equal_distributions_are_known(rng, n, m, k):
    # (PRDC.6, PRDC.7), for any distribution without ties: here a skewed one
    found = np.array(
        [density_coverage(np.exp(rng.standard_normal((n, 2))), np.exp(rng.standard_normal((m, 2))), k)
         for _ in range(1000)]
    )  # fmt: skip
    mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
    expected = neighbours.expected_coverage(n, m, k)
    assert expected == pytest.approx(1 - np.prod([(n - i) / (n + m - i) for i in range(1, k + 1)]))
    assert abs(mean[0] - 1) < 4 * error[0] < 0.08 and abs(mean[1] - expected) < 4 * error[1] < 0.04


def test_expected_coverage_is_close_to_a_power_of_two():
    assert neighbours.expected_coverage(10_000, 10_000, 5) == pytest.approx(1 - 1 / 32, abs=1e-4)


MODES = 6.0 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


def clusters(rng, n, modes=4, noise=0.0):
    points = MODES[rng.integers(0, modes, n)] + 0.5 * rng.standard_normal((n, 2))
    return points + noise * rng.standard_normal((n, 2))


def test_true_samples_have_all_values_near_one(rng):
    precision, recall, density, coverage = all_four(clusters(rng, 500), clusters(rng, 500), 5)
    assert min(precision, recall, coverage) > 0.93 and 0.9 < density < 1.1


def test_a_missing_mode_lowers_recall_and_coverage_and_nothing_else(rng):
    precision, recall, density, coverage = all_four(clusters(rng, 500), clusters(rng, 500, modes=3), 5)
    assert precision > 0.93 and density > 0.9
    assert recall == pytest.approx(0.75, abs=0.06) and coverage == pytest.approx(0.75, abs=0.06)


def test_noise_lowers_precision_and_density_and_not_recall(rng):
    precision, recall, density, coverage = all_four(clusters(rng, 500), clusters(rng, 500, noise=1.5), 5)
    assert precision < 0.6 and density < 0.4
    assert recall > 0.93


def test_one_outlier_moves_precision_and_hardly_density(rng):
    """One real example far away has a ball that reaches from there to the data."""
    X, samples = clusters(rng, 500), clusters(rng, 500, noise=3.0)
    outlier = np.concatenate([X[1:], [[40.0, 40.0]]])
    before, after = all_four(X, samples, 5), all_four(outlier, samples, 5)
    assert after[0] > before[0] + 0.1
    assert after[2] < before[2] + 0.05


def test_equal_points_far_away_and_tiny_differences_are_safe():
    same = np.full((6, 3), 0.1)
    assert all_four(same, same, 5).tolist() == [1, 1, 6 / 5, 1]
    far = np.concatenate([line(*range(6)) * 1e-3, [[1e30]]])
    assert precision_recall(far, far.copy(), 2) == (1, 1)
    top = line(*range(6)) * (np.finfo(np.float64).max / 40)
    assert all_four(top, top, 2).tolist() == [1, 1, 18 / 12, 1]


X3 = np.eye(3)


@pytest.mark.parametrize("function", [precision_recall, density_coverage])
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((X3, X3, 3), ValueError, r"expected k in 1\.\.2 \(the other real examples\), got 3"),
        ((X3, X3, 0), ValueError, r"k in 1\.\.2"),
        ((X3, X3, 2.0), TypeError, "expected k to be an int, got 2.0"),
        ((X3, X3[:, :2], 1), ValueError, r"\(its samples\) expected .* \(N, 3\), got \(3, 2\)"),
        ((X3 * np.nan, X3, 1), ValueError, r"\(its real examples\) expected finite"),
        ((X3[:1], X3, 1), ValueError, "at least 2 examples, got 1"),
        ((X3, X3[:0], 1), ValueError, "at least . examples?, got 0"),
        ((X3, [[1.0]], 1), TypeError, "its samples"),
    ],
)
def test_error_messages(function, given, error, message):
    with pytest.raises(error, match=f"^{function.__name__} .*{message}"):
        function(*given)


def test_recall_needs_more_than_k_samples():
    with pytest.raises(ValueError, match=r"k in 1\.\.1 \(the other samples\), got 2"):
        precision_recall(X3, X3[:2], 2)
    assert density_coverage(X3, X3[:1], 2) == (3 / 2, 1)
