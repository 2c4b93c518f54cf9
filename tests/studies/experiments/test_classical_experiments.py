"""Experiments behind the demos of classifiers, on small cases that can be worked out by hand."""

import numpy as np
import pytest

from scratchgen.studies.experiments import counting, crossing, missing_pixels, two_views


def curves(sizes, gaps):
    return crossing.Curves(sizes, [], [], gaps)


def test_crossing_says_what_crosses():
    assert curves([1, 2, 3, 4], [-3, -2.5, 1, 5]).crossing == (2, 4)
    assert curves([1, 2, 3], [-3, -2.5, 1]).crossing is None
    assert curves([1, 2, 3], [3, -2.5, 4]).crossing is None
    assert curves([1, 2, 3], [3, -2.5, 4]).verdict.startswith("in part: naive Bayes has fewer errors at [2]")
    assert curves([1, 2], [1, 3]).verdict.startswith("no: only logistic regression has fewer errors, at [2]")
    assert curves([1, 2], [1, -1]).verdict == "no: no significant difference"


def test_crossing_splits_have_two_of_each_class_and_no_test_example(rng):
    y = np.repeat([0, 1, 2], [6, 10, 24])
    data = crossing.Data("", np.arange(40.0)[:, None], y, [], 1)
    for n in (6, 11, 20):
        X, labels, X_test, _ = data.split(n, rng)
        assert len(X) == n and (y[X[:, 0].astype(int)] == labels).all()
        assert len(X_test) == 20 and not set(X[:, 0]) & set(X_test[:, 0])
        assert np.bincount(labels, minlength=3).min() >= 1


def test_crossing_sizes_grow_by_about_the_same_factor():
    sizes = crossing.sizes_between(20, 2000)
    assert sizes[0] == 20 and sizes[-1] == 2000
    assert all(1.6 < b / a < 2 for a, b in zip(sizes, sizes[1:], strict=False))


def test_counting_by_hand():
    x = np.array([[0, 0], [0, 0], [0, 1], [1, 1]], float)
    y = np.array([0, 1, 1, 0])
    rows, counts = counting.count(x, y)
    assert rows.tolist() == [[0, 0], [0, 1], [1, 1]] and counts.tolist() == [[1, 1], [0, 1], [1, 0]]
    table = counting.bayes_theorem(x, y)
    assert [row["counted"] for row in table.values()] == [0.5, 1, 0]
    assert [row["by Bayes"] for row in table.values()] == pytest.approx([0.5, 1, 0])
    unseen, predicted = counting.table_predicts(x, y, np.array([[0, 1], [1, 0], [1, 1]], float))
    assert unseen.tolist() == [False, True, False] and predicted.tolist() == [1, 0, 0]


def test_separation_is_the_share_of_pairs_in_which_the_digit_scores_higher():
    assert missing_pixels.separation(np.array([3.0, 1.0]), np.array([2.0, 0.0])) == 0.75


def test_out_of_distribution_images_keep_the_shape_and_the_intensities(rng):
    x = rng.random((4, 784), np.float32)
    images = missing_pixels.out_of_distribution(x, rng)
    assert all(part.shape[1] == 784 for part in images.values())
    np.testing.assert_array_equal(np.sort(images["shuffled"]), np.sort(x))
    np.testing.assert_array_equal(images["on its side"][0].reshape(28, 28), np.rot90(x[0].reshape(28, 28)))


def test_best_class_has_no_higher_error_than_another_rule(rng):
    X, y = two_views.points(5000, rng)
    best = (two_views.best_class(X) != y).mean()
    assert best < min(((X[:, 0] > t) != y).mean() for t in np.linspace(-1, 1, 9))
