"""Nearest neighbours against a loop over all distances."""

import numpy as np
import pytest

from scratchgen.metrics import pairwise
from scratchgen.models import NearestNeighbours, NoLikelihood


@pytest.mark.parametrize("k", [1, 4])
def test_nearest_neighbours_vote(k, rng, monkeypatch):
    monkeypatch.setattr(pairwise, "BLOCK", 4)         # several blocks, the last one smaller
    X, y, new = rng.standard_normal((20, 3)) + 1e3, np.arange(20) % 3, rng.standard_normal((9, 3)) + 1e3
    model = NearestNeighbours(k).fit(X, y)
    for x, p in zip(new, model.predict_proba(new), strict=True):
        nearest = y[np.argsort(np.linalg.norm(X - x, axis=1))[:k]]
        np.testing.assert_allclose(p, np.bincount(nearest, minlength=3) / k)
    if k == 1:
        assert model.score(X, y) == 1                           # each is its own nearest


def test_nearest_neighbours_tie_goes_to_the_smaller_label():
    model = NearestNeighbours(2).fit(np.array([[0.0], [1], [9]]), [2, 1, 0])
    assert model.predict(np.array([[0.4]])).tolist() == [1]
    np.testing.assert_allclose(model.predict_proba(np.array([[0.4]])), [[0, 0.5, 0.5]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: NearestNeighbours(0), "k of at least 1, got 0"),
        (lambda m, X: m.fit(X[:2], [0, 1]), "at least k = 3 examples, got 2"),
        (lambda m, X: m.fit(X, [0, 2, 2, 0]), r"each class 0\.\.2, got none of 1"),
        (lambda m, X: m.predict(X), "NearestNeighbours is not fitted yet"),
        (lambda m, X: m.fit(X, [0, 1, 1, 0]).predict(X[:, :1]), r"\(N, 2\), got \(4, 1\)"),
        (lambda m, X: m.fit(X, [0, 1, 1, 0]).predict(X + np.inf), "finite numbers"),
    ],
)
def test_nearest_neighbours_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(NearestNeighbours(3), np.arange(8.0).reshape(4, 2))


def test_nearest_neighbours_has_no_density():
    with pytest.raises(NoLikelihood):
        NearestNeighbours().score_samples(np.zeros((1, 2)))


def test_nearest_neighbours_refuse_examples_that_are_too_far(rng):
    model = NearestNeighbours(1).fit(rng.normal(size=(4, 2)), np.array([0, 1, 0, 1]))
    with pytest.raises(ValueError, match=r"finite distances, .* too far away \(in rows 0 to 2\)"):
        model.predict(np.array([[0.0, 1.0], [1e200, 0.0], [1.0, 0.0]]))
