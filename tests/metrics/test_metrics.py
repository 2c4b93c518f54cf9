import numpy as np
import pytest

from scratchgen.metrics import (
    accuracy,
    knn_accuracy,
    nearest_distance,
    pairwise,
    silhouette_score,
    squared_error_per_example,
)


def test_squared_error_per_example_by_hand():
    X, Y = np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]), np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 4.0]])
    np.testing.assert_array_equal(squared_error_per_example(X, Y), [1 + 0 + 4, 9])


def test_squared_error_per_example_of_float32_is_summed_in_float64(rng):
    X = rng.uniform(size=(3, 5000)).astype(np.float32)
    errors = squared_error_per_example(X, np.zeros_like(X))
    assert errors.dtype == np.float64
    np.testing.assert_allclose(errors, (X.astype(np.float64) ** 2).sum(axis=1), rtol=1e-13)


def test_accuracy_by_hand():
    assert accuracy(np.array([3, 1, 4, 1]), np.array([3, 1, 1, 1])) == 0.75


def test_silhouette_score_by_hand():
    """Three points on a line and one above it: 0 and 1 are of class 7, 4 and 4+3i of class 2."""
    Z = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0], [4.0, 3.0]])
    a = np.array([1, 1, 3, 3])
    b = np.array([(4 + 5) / 2, (3 + np.sqrt(18)) / 2, (4 + 3) / 2, (5 + np.sqrt(18)) / 2])
    expected = np.mean((b - a) / np.maximum(a, b))
    assert silhouette_score(Z, np.array([7, 7, 2, 2])) == pytest.approx(expected, rel=1e-12)


def silhouette_by_definition(Z, y):
    """The definition, one example at a time."""
    values = []
    for i in range(len(Z)):
        distances = np.sqrt(((Z - Z[i]) ** 2).sum(axis=1))
        own = (y == y[i]) & (np.arange(len(Z)) != i)
        a = distances[own].mean() if own.any() else np.nan
        b = min(distances[y == k].mean() for k in set(y) - {y[i]})
        values.append((b - a) / max(a, b) if own.any() else 0.0)
    return np.mean(values)


def test_silhouette_score_in_blocks_equals_the_definition(rng, monkeypatch):
    """The blocks are smaller than the data, labels are unordered, and one class has a single example."""
    Z = rng.standard_normal((23, 3)) + 100
    y = np.append(rng.integers(0, 4, 22) * 3, 50)
    Z[y == 6] += 2
    expected = silhouette_by_definition(Z, y)
    assert silhouette_score(Z, y) == pytest.approx(expected, rel=1e-9)
    monkeypatch.setattr(pairwise, "BLOCK", 5)
    assert silhouette_score(Z, y) == pytest.approx(expected, rel=1e-9)


def test_silhouette_score_of_extreme_cases(rng):
    """Two distant clusters give almost 1, random labels almost 0, equal points exactly 0."""
    y = np.arange(200) % 2
    points = rng.standard_normal((200, 2))
    assert abs(silhouette_score(points, y)) < 0.05
    assert silhouette_score(points + 1e4 * y[:, None], y) > 0.999
    assert silhouette_score(np.ones((4, 2)), y[:4]) == 0


def test_knn_accuracy_by_hand():
    """On a line: 0.9 is of class 5 with one neighbour and of class 2 with three; 9.9 is always of class 5."""
    Z_train = np.array([[0.0], [0.2], [1.0], [8.0], [9.0], [10.0]])
    y_train = np.array([2, 2, 5, 5, 5, 5])
    Z_test, y_test = np.array([[0.9], [9.9]]), np.array([2, 5])
    assert knn_accuracy(Z_train, y_train, Z_test, y_test, k=1) == 0.5
    assert knn_accuracy(Z_train, y_train, Z_test, y_test, k=3) == 1.0


def test_knn_accuracy_tie_goes_to_the_smallest_label():
    Z_train, y_train = np.array([[1.0], [-1.0]]), np.array([4, 3])
    assert knn_accuracy(Z_train, y_train, np.zeros((1, 1)), np.array([3]), k=2) == 1.0
    assert knn_accuracy(Z_train, y_train, np.zeros((1, 1)), np.array([4]), k=2) == 0.0


def test_knn_accuracy_in_blocks_is_the_same(rng, monkeypatch):
    Z_train, y_train = rng.standard_normal((40, 2)), rng.integers(0, 3, 40)
    Z_test, y_test = rng.standard_normal((17, 2)), rng.integers(0, 3, 17)
    votes = [np.bincount(y_train[np.argsort(((Z_train - z) ** 2).sum(axis=1))[:7]]).argmax() for z in Z_test]
    expected = np.mean(votes == y_test)
    assert knn_accuracy(Z_train, y_train, Z_test, y_test, k=7) == expected
    monkeypatch.setattr(pairwise, "BLOCK", 4)
    assert knn_accuracy(Z_train, y_train, Z_test, y_test, k=7) == expected


def test_nearest_distance_by_hand():
    """From two points to three, and from three to two: the distances differ."""
    X, Y = np.array([[0.0, 0.0], [5.0, 0.0]]), np.array([[3.0, 4.0], [0.0, -1.0], [0.0, 30.0]])
    np.testing.assert_allclose(nearest_distance(X, Y), [1, np.sqrt(4 + 16)])
    np.testing.assert_allclose(nearest_distance(Y, X), [np.sqrt(4 + 16), 1, 30])


def test_nearest_distance_in_blocks_equals_the_definition(rng, monkeypatch):
    """Points far from the origin, float32 mixed with float64, and a block size that does not divide N."""
    X, Y = (rng.standard_normal((n, 3)) + 1e5 for n in (17, 8))
    X = X.astype(np.float32)
    expected = [min(np.sqrt(((x - y.astype(np.float64)) ** 2).sum()) for y in Y) for x in X]
    np.testing.assert_allclose(nearest_distance(X, Y), expected, rtol=1e-9)
    monkeypatch.setattr(pairwise, "BLOCK", 5)
    np.testing.assert_allclose(nearest_distance(X, Y), expected, rtol=1e-9)


Z, Y = np.eye(3), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: squared_error_per_example(Z, Z[:2]), ValueError, r"same shape, got \(3, 3\) and \(2, 3\)"),
        (lambda: squared_error_per_example(Z, Z * np.nan), ValueError, "finite numbers, got NaN"),
        (lambda: accuracy(Y, Y[:2]), ValueError, r"got \(3,\) and \(2,\)"),
        (lambda: accuracy(Y[:0], Y[:0]), ValueError, r"N ≥ 1, got \(0,\)"),
        (lambda: silhouette_score(Z, Y[:2]), ValueError, "3 integer labels, one per example"),
        (lambda: silhouette_score(Z, Y * 0), ValueError, "two classes or more, got 1"),
        (lambda: silhouette_score(Z, Y * 0.5), TypeError, "integer labels, got dtype float64"),
        (lambda: silhouette_score(Z.astype(int), Y), TypeError, "float32 or float64, got dtype int64"),
        (lambda: knn_accuracy(Z, Y, Z, Y, k=4), ValueError, r"k in 1\.\.3"),
        (lambda: knn_accuracy(Z, Y, Z, Y, k=0), ValueError, r"k in 1\.\.3"),
        (lambda: knn_accuracy(Z, Y, Z[:, :2], Y, k=1), ValueError, r"shape \(N, 3\), got \(3, 2\)"),
        (lambda: nearest_distance(Z, Z[:, :2]), ValueError, r"shape \(N, 3\), got \(3, 2\)"),
        (lambda: nearest_distance(Z, Z * np.nan), ValueError, "finite numbers, got NaN"),
    ],
)
def test_metrics_error_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
