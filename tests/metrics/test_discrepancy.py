"""The kernel distance: by hand, by brute force, its mean over resamplings, and what must not change."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scratchgen.metrics import discrepancy, kernel_distance


def kernel(x, y):
    return (float(np.dot(x, y)) / len(x) + 1) ** 3


def by_hand(X, Y):
    own = [
        np.mean([kernel(a, b) for i, a in enumerate(Z) for j, b in enumerate(Z) if i != j]) for Z in (X, Y)
    ]
    return sum(own) - 2 * np.mean([kernel(x, y) for x in X for y in Y])


# (KID.1, KID.3)
def test_distance_on_a_line_by_hand():
    """k(0, y) = 1 and k(1, y) = (y + 1)³. X = (0, 1, 0, 1) has k = 1 in 5 of its 6 pairs, and 8 in one.

    Y = (1, 2, 1, 2) has 8 and 125 in one pair each, and 27 in four. Between X and Y, it is 1 for half of the
    pairs, 8 for a quarter, and 27 for a quarter.
    """
    X, Y = np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([[1.0], [2.0], [1.0], [2.0]])
    expected = (5 + 8) / 6 + (8 + 125 + 4 * 27) / 6 - 2 * (1 / 2 + 8 / 4 + 27 / 4)
    found = kernel_distance(X, Y, subsets=2)
    assert found.distance == pytest.approx(expected, rel=1e-14)
    # Its subsets are 0, 0 and 1, 1, which give 1 + 8 − 2, and 1, 1 and 2, 2, which give 8 + 125 − 2·27.
    assert found.error == pytest.approx(np.std([1 + 8 - 2, 8 + 125 - 54], ddof=1) / np.sqrt(2), rel=1e-14)


@pytest.mark.parametrize("block", [3, 500])
def test_distance_equals_the_sums_over_pairs(rng, block, monkeypatch):
    monkeypatch.setattr(discrepancy, "BLOCK", block)
    X, Y = rng.standard_normal((11, 3)), 2 * rng.standard_normal((8, 3)) + 1
    found = kernel_distance(X, Y, subsets=3)
    assert found.distance == pytest.approx(by_hand(X, Y), rel=1e-12)
    parts = [by_hand(X[b::3], Y[b::3]) for b in range(3)]
    assert found.error == pytest.approx(np.std(parts, ddof=1) / np.sqrt(3), rel=1e-12)


@pytest.mark.slow  # slow because it imports scikit-learn
def test_distance_equals_that_with_the_kernel_of_scikit_learn(rng):
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    X, Y = rng.standard_normal((40, 6)), rng.standard_normal((50, 6)) + 0.5
    own = [pairwise.polynomial_kernel(Z, degree=3, coef0=1) for Z in (X, Y)]
    expected = sum((K.sum() - np.trace(K)) / (len(K) * (len(K) - 1)) for K in own)
    expected -= 2 * pairwise.polynomial_kernel(X, Y, degree=3, coef0=1).mean()
    assert kernel_distance(X, Y).distance == pytest.approx(expected, rel=1e-12)


def test_distance_of_equal_distributions_is_zero_on_average(rng):
    """It is unbiased for different N and M."""
    pool = 2 * rng.random((1500, 12, 2)) ** 3
    found = np.array([kernel_distance(pair[:5], pair[5:], subsets=2).distance for pair in pool])
    bias = np.mean([kernel(x, x) for x in pool[:, 0]]) / 5      # about that of means that contain i = j
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found)) < bias / 2
    assert (found < 0).mean() > 0.3


# (KID.2)
def test_distance_is_unbiased_exactly():
    """Over all ordered pairs of draws from three points each, the mean is the MMD² of the distributions."""
    P, Q = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]]), np.array([[1.0, 1.0], [0.0, 0.0], [-1.0, 2.0]])
    draws = [np.array(pair) for pair in itertools.product(range(3), repeat=2)]
    found = [discrepancy._unbiased_mmd(P[a], Q[b], 1.0) for a in draws for b in draws]
    means = [np.mean([kernel(x, y) for x in A for y in B]) for A, B in ((P, P), (Q, Q), (P, Q))]
    assert np.mean(found) == pytest.approx(means[0] + means[1] - 2 * means[2], rel=1e-12)


def test_error_is_the_standard_deviation_where_distributions_differ_and_larger_where_they_are_equal(rng):
    for shift, low, high in ((2.0, 0.8, 1.3), (0.0, 1.2, 4.0)):
        found = np.array(
            [kernel_distance(rng.standard_normal((60, 2)) + shift, rng.standard_normal((60, 2)))
             for _ in range(200)]
        )  # fmt: skip
        ratio = np.sqrt((found[:, 1] ** 2).mean()) / found[:, 0].std()
        assert low < ratio < high, (shift, ratio)


numbers = arrays.arrays(
    np.float64, st.tuples(st.integers(4, 9), st.just(3)), elements=st.floats(-3, 3, width=32)
)


@settings(max_examples=30)
@given(X=numbers, Y=numbers, data=st.data())
def test_order_of_rows_and_rotations_do_not_matter_and_the_distance_is_symmetric(X, Y, data):
    order = data.draw(st.permutations(range(len(X))))
    turned = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    expected = kernel_distance(X, Y, 2).distance
    close = pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert kernel_distance(Y, X, 2).distance == close
    assert kernel_distance(X[order], Y[::-1], 2).distance == close
    assert kernel_distance(X @ turned, Y @ turned, 2).distance == close
    assert kernel_distance(X.astype(np.float32), Y, 2).distance == pytest.approx(expected, abs=1e-3)


def test_a_difference_of_means_variances_or_third_moments_is_found(rng):
    """`skewed` has the mean and the variance of the uniform numbers, and another third moment."""
    first, second = rng.uniform(-2, 2, (2, 1000, 1))
    skewed = np.sqrt(4 / 3) * rng.choice([2.0, -0.5], (1000, 1), p=[0.2, 0.8])
    for Y in (second + 0.5, 1.4 * second, skewed):
        distance, error = kernel_distance(first, Y)
        assert distance > 4 * error, (distance, error)
    distance, error = kernel_distance(first, second)
    assert abs(distance) < 3 * error


def test_the_largest_and_smallest_numbers(rng):
    X, Y = rng.standard_normal((8, 3)), rng.standard_normal((8, 3))
    assert kernel_distance(X * 1e-300, Y * 1e-300, 2) == (0, 0)
    large = kernel_distance(X * 2.0**160, Y * 2.0**160, 2).distance
    cubes = [(A @ B.T / 3) ** 3 for A, B in ((X, X), (Y, Y), (X, Y))]
    own = sum((K.sum() - np.trace(K)) / 56 for K in cubes[:2])
    assert large / 2.0**960 == pytest.approx(own - 2 * cubes[2].mean(), rel=1e-9)
    assert abs(kernel_distance(X * 1e300, Y, 2).distance) == np.inf
    outlier = np.concatenate([[[1e100, 0, 0]], X[1:]])          # its kernel with itself is not in the sums
    assert np.isfinite(kernel_distance(outlier * 1e-50, Y, 2)).all()


X4 = np.eye(4)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((X4, X4, 3), ValueError, "two examples or more in each, got 3 subsets of 4 and 4 examples"),
        ((X4, X4, 1), ValueError, "expected subsets of at least 2, .* got 1 subsets"),
        ((X4, X4, 2.0), TypeError, "expected subsets to be an int"),
        ((X4, X4[:1], 2), ValueError, "at least 2 examples, got 1"),
        ((X4, X4[:, :2], 2), ValueError, r"\(N, 4\), got \(4, 2\)"),
        ((X4, X4 - np.inf, 2), ValueError, "NaN or infinity"),
    ],
)
def test_error_messages(given, error, message):
    with pytest.raises(error, match=f"^kernel_distance .*{message}"):
        kernel_distance(*given)
