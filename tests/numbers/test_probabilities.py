"""Probabilities are within [0, 1] and sum to 1, log-probabilities are at most 0, losses at least 0."""

from __future__ import annotations

import numpy as np
import pytest
from sweep.inputs import numbers, patterns

from scratchgen import losses, metrics
from scratchgen.data import Alphabet
from scratchgen.distributions import Bernoulli, Categorical
from scratchgen.layers import Sigmoid
from scratchgen.models import (
    BernoulliNaiveBayes,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    HiddenMarkovModel,
    LogisticRegression,
    NGram,
)

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bernoulli_probabilities(dtype, backend):
    logits = numbers(dtype)
    p, out = Bernoulli.mean(logits), Sigmoid().forward(logits)[0]
    for found in (p, out):
        assert ((found >= 0) & (found <= 1)).all()
        assert (np.diff(found) >= 0).all()  # the numbers are in ascending order
    np.testing.assert_allclose(p + Bernoulli.mean(-logits), 1, rtol=2 * np.finfo(dtype).eps)
    for x in (0, 1):
        assert (Bernoulli.log_prob(x, logits) <= 0).all()
        target = np.full((len(logits), 1), x, dtype)
        for i in range(len(logits)):
            loss, gradient = losses.bce_with_logits(logits[i : i + 1, None], target[i : i + 1])
            assert loss >= 0 and abs(gradient[0, 0]) <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities_of_categories(dtype, backend, rng):
    with np.errstate(over="ignore"):  # differences of the largest numbers
        for logits in patterns(dtype, (6, 5), rng):
            p, log_p = Categorical.probabilities(logits), Categorical.log_probabilities(logits)
            assert ((p >= 0) & (p <= 1)).all() and (log_p <= 0).all()
            np.testing.assert_allclose(p.sum(axis=1), 1, rtol=8 * np.finfo(dtype).eps)
            loss, gradient = losses.softmax_cross_entropy(logits, np.arange(6) % 5)
            assert loss >= 0 and np.abs(gradient).max() <= 1
            np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
def test_posteriors_of_classifiers(unit, rng):
    y = np.arange(30) % 3
    X = unit * (rng.standard_normal((30, 4)) + y[:, None])
    far = np.concatenate([X, 1e3 * X])
    models = [GaussianDiscriminant(shared=True), GaussianDiscriminant(shared=False), GaussianNaiveBayes()]
    for model in models:
        p = model.fit(X, y).predict_proba(far)
        assert ((p >= 0) & (p <= 1 + 1e-15)).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-9)
    counts = BernoulliNaiveBayes(smoothing=1e-12, threshold=0.0).fit(X, y)
    np.testing.assert_allclose(counts.predict_proba(far).sum(axis=1), 1, rtol=1e-12)
    assert (counts.log_likelihoods(far) <= 0).all()
    linear = LogisticRegression(4, 3, dtype=np.float64)
    linear.weight.value[...] = rng.standard_normal((4, 3))
    np.testing.assert_allclose(linear.predict_proba(far).sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-30, 1.0, 50.0, 1e4, 1e15])
def test_posteriors_of_hidden_states(size, rng):
    model, x = HiddenMarkovModel.categorical(3, 4, rng=0), rng.integers(0, 4, (5, 7))
    for p in model.parameters().values():
        p.value[...] = size * rng.standard_normal(p.shape)
    states, steps = model.posterior_counts(x)
    tolerance = 1e-12 * (1 + 7 * size)  # a rounding of log-probabilities of this size
    assert (model.score_samples(x) <= 0).all()
    if tolerance < 0.1:
        assert ((states >= 0) & (states <= 1 + tolerance)).all()
        np.testing.assert_allclose(states.sum(axis=2), 1, rtol=tolerance)
        assert steps.sum() == pytest.approx(5 * 6, rel=tolerance)


@pytest.mark.parametrize("strength", [1e-12, 1.0, 1e12])
def test_probabilities_of_characters(strength):
    model = NGram(Alphabet("abcdrz"), 4, strength).fit("abracadabra")
    for context in ("", "a", "abr", "zzz", "cad"):
        p = [model.probability(c, context) for c in "abcdrz"]
        assert min(p) > 0 and max(p) <= 1 and sum(p) == pytest.approx(1, rel=1e-12)


def test_auroc_and_shares_are_fractions(rng):
    y = rng.integers(0, 2, 40)
    for scores in (
        rng.standard_normal(40),
        np.zeros(40),
        np.where(y, np.inf, -np.inf),
        np.where(y, -1e308, 1e308),
    ):
        assert 0 <= metrics.auroc(scores, y) <= 1
        assert metrics.auroc(scores, y) + metrics.auroc(-scores, y) == pytest.approx(1, rel=1e-14)
    assert metrics.digit_shares(y, 2).share.sum() == 1
