"""Fast sampling from a MADE: the same samples as with full passes, and the right distribution."""

import numpy as np
import pytest
from helpers.small_made import EVERY, made

from scratchgen.models import MADE
from scratchgen.models.autoregressive.made_sampling import fill, fill_naively

FORMS = {
    "one ordering": {},
    "random orders": {"order": "random", "orderings": 3},
    "labels": {"classes": 4, "order": "random"},
    "two layers": {"hidden": (17, 6)},
    "three layers, labels": {"hidden": (9, 5, 11), "classes": 3, "orderings": 2},
    "one unit": {"hidden": (1,)},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_made_fast_samples_are_the_naive_ones(form, dtype, rng, backend):
    """(MADE.8), (MADE.9), (MADE.10): the same uniform numbers give the same pixels."""
    model = MADE(19, **({"hidden": (13,)} | FORMS[form]), rng=rng, dtype=dtype)
    for p in model.parameters().values():
        p.value += rng.standard_normal(p.shape).astype(dtype)
    y = rng.integers(model.classes, size=40) if model.classes else None
    for ordering in range(len(model.orders)):
        for known in (0, 6):
            uniform, x = rng.random((40, 19)).astype(dtype), (rng.random((40, 19)) < 0.5).astype(dtype)
            kept, naive = x.copy(), x.copy()
            fill(model, uniform, known, ordering, y, kept)
            fill_naively(model, uniform, known, ordering, y, naive)
            np.testing.assert_array_equal(kept, naive)
            given = model.orders[ordering] <= known
            assert (kept[:, given] == x[:, given]).all() and (kept[:, ~given] != x[:, ~given]).any()


@pytest.mark.parametrize("settings", [{}, {"orderings": 3}, {"hidden": (9, 8), "order": "random"}])
def test_made_samples_follow_its_probabilities(settings, rng):
    """The frequencies of all vectors of 6 pixels match p(x): chi-square, 63 degrees of freedom."""
    model, n = made(rng, features=6, **settings), 40_000
    p = np.exp(model.score_samples(EVERY[:64, :6].copy()))
    counts = np.bincount((model.sample(n, rng=rng) @ 2 ** np.arange(6)).astype(int), minlength=64)
    assert (n * p).min() > 0.5
    assert ((counts - n * p) ** 2 / (n * p)).sum() < 63 + 5 * np.sqrt(2 * 63)


@pytest.mark.parametrize("orderings", [1, 3])
def test_made_completions_follow_the_conditional(orderings, rng):
    """p(rest | observed) by enumeration, where the same three pixels come first in each of the orderings.

    Each ordering is weighted by its probability of the observed pixels; equal weights would be wrong.
    """
    model, n = made(rng, features=6, order="random", orderings=orderings), 20_000
    every = EVERY[:64, :6]
    observed = np.array([0, 1, 0, 1, 1, 0]) > 0
    for part, start in ((observed, 1), (~observed, 4)):
        model.orders[:, part] = start + np.argsort(rng.random((orderings, 3)), axis=1)
    x = every[45]
    fits = (every[:, observed] == x[observed]).all(axis=1)
    p = np.where(fits, np.exp(model.score_samples(every.copy())), 0)
    p /= p.sum()
    sampled = model.complete(np.tile(np.where(observed, x, 0.5), (n, 1)), observed, rng=rng)
    counts = np.bincount((sampled @ 2 ** np.arange(6)).astype(int), minlength=64)
    assert (counts[~fits] == 0).all() and fits.sum() == 8
    expected, counts = n * p[fits], counts[fits]
    assert ((counts - expected) ** 2 / expected).sum() < 7 + 5 * np.sqrt(2 * 7)


def test_made_completion_of_all_pixels_is_the_image_itself(rng):
    model = made(rng)
    np.testing.assert_array_equal(model.complete(EVERY, np.ones(10, bool), rng=rng), EVERY)


def test_made_samples_depend_on_labels(rng):
    model = MADE(8, (20,), classes=2, rng=rng)
    X = np.repeat(np.eye(2, dtype=np.float32), 4, axis=1)
    model.fit(np.tile(X, (200, 1)), np.tile([0, 1], 200), epochs=60, lr=0.02, rng=rng)
    y = np.repeat([0, 1], 50)
    assert (model.sample(100, rng=rng, y=y) == X[y]).mean() > 0.97
    with pytest.raises(ValueError, match="expected labels y, one per example, got none"):
        model.sample(3, rng=rng)
