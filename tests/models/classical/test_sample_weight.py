"""Weights of the examples: an example of weight 2 counts as two equal examples, one of weight 0 as none."""

import numpy as np
import pytest

from scratchgen.models import (
    BernoulliNaiveBayes,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    LogisticRegression,
)

MODELS = {
    "lda": lambda: GaussianDiscriminant(),
    "qda": lambda: GaussianDiscriminant(shared=False, shrinkage=0.1),
    "gaussian": lambda: GaussianNaiveBayes(smoothing=0.01),
    "shared": lambda: GaussianNaiveBayes(shared=True),
    "bernoulli": lambda: BernoulliNaiveBayes(threshold=0.0),
    "logistic": lambda: LogisticRegression(3, 3, l2=0.1, dtype=np.float64),
}


PRECISE = {"logistic": {"tolerance": 1e-9}}         # the others have a closed form
RTOL = {"logistic": 1e-6}


def data(rng, n=40):
    X, y = rng.standard_normal((n, 3)), np.arange(n) % 3
    X[y == 1] += 1
    return X, y, rng.integers(0, 4, n)


@pytest.mark.parametrize("name", MODELS)
def test_weights_count_as_repetitions(rng, name):
    """(BAYES.4), (LR.4)."""
    X, y, w = data(rng)
    settings, rtol = PRECISE.get(name, {}), RTOL.get(name, 1e-10)
    weighted = MODELS[name]().fit(X, y, sample_weight=w, **settings)
    repeated = MODELS[name]().fit(X.repeat(w, axis=0), y.repeat(w), **settings)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=rtol)
    without = MODELS[name]().fit(X, y, **settings)
    assert np.abs(without.predict_proba(X) - weighted.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_equal_weights_change_nothing(rng, name):
    X, y, _ = data(rng)
    settings, rtol = PRECISE.get(name, {}), RTOL.get(name, 1e-10)
    plain = MODELS[name]().fit(X, y, **settings)
    weighted = MODELS[name]().fit(X, y, sample_weight=np.ones(len(X)), **settings)
    np.testing.assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), rtol=rtol)
    if name != "bernoulli":     # the smoothing counts examples, so there the sum of the weights matters
        scaled = MODELS[name]().fit(X, y, sample_weight=np.full(len(X), 0.2), **settings)
        np.testing.assert_allclose(scaled.predict_proba(X), plain.predict_proba(X), rtol=rtol)


def test_weighted_means_and_frequencies_by_hand():
    """(BAYES.4)."""
    X = np.array([[1.0, 0], [3, 0], [5, 2], [9, 4]])
    model = GaussianNaiveBayes().fit(X, np.array([0, 0, 1, 1]), sample_weight=[1, 3, 0.5, 1.5])
    np.testing.assert_allclose(model.means_, [[2.5, 0], [8, 3.5]])
    np.testing.assert_allclose(np.exp(model.log_prior_), [4 / 6, 2 / 6])


def test_gradient_of_the_weighted_logistic_loss_is_its_slope(rng):
    """(LR.4)."""
    X, y, w = data(rng, 9)
    model, h = MODELS["logistic"](), 1e-5
    model.weight.value[...] = rng.standard_normal((3, 3))
    _, cache = model.loss(X, y, sample_weight=w)
    model.backward(cache)
    for p in model.parameters().values():
        for i in np.ndindex(p.shape):
            slope = 0.0
            for sign in (1, -1):
                p.value[i] += sign * h
                slope += sign * model.loss(X, y, sample_weight=w)[0] / (2 * h)
                p.value[i] -= sign * h
            assert p.grad[i] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (np.ones(7), ValueError, r"fit expected sample_weight of shape \(40,\), got \(7,\)"),
        (np.full(40, -1.0), ValueError, "fit expected a finite sample_weight >= 0, got -1 to -1"),
        (np.full(40, np.nan), ValueError, "fit expected a finite sample_weight >= 0, got nan to nan"),
        (["1"] * 40, TypeError, "fit expected sample_weight to be numbers, got dtype <U1"),
        (np.arange(40) % 3 != 2, ValueError, "a sample_weight above zero in each class, got none in class 2"),
    ],
)
def test_bad_weights_are_refused(rng, name, weights, error, message):
    X, y, _ = data(rng)
    with pytest.raises(error, match=message):
        MODELS[name]().fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"loss expected sample_weight of shape \(9,\)"),
        (np.zeros(9), "loss expected a sample_weight above zero"),
    ],
)
def test_logistic_loss_refuses_bad_weights(rng, weights, message):
    X, y, _ = data(rng, 9)
    with pytest.raises(ValueError, match=message):
        MODELS["logistic"]().loss(X, y, sample_weight=weights)
