"""Gaussian discriminant analysis, with one covariance and with one for each class."""

import math

import numpy as np
import pytest

from scratchgen.models import GaussianDiscriminant
from scratchgen.models.classical.gaussian_discriminant import ConstantFeatures

Y = np.array([0, 1, 0, 2, 1, 0, 2, 1, 0, 2, 2, 1, 1])


def data(rng):
    return rng.standard_normal((13, 3)) @ rng.standard_normal((3, 3)) + rng.standard_normal((3, 3))[Y]


def covariance_by_hand(X, shared, k, shrinkage):
    classes = range(3) if shared else [k]
    centred = np.concatenate([X[c == Y] - X[c == Y].mean(axis=0) for c in classes])
    S = sum(np.outer(row, row) for row in centred) / len(centred)
    return (1 - shrinkage) * S + shrinkage * np.trace(S) / 3 * np.eye(3)


@pytest.mark.parametrize("shared", [True, False])
def test_gaussian_discriminant_is_the_textbook_density(shared, rng):
    """(GDA.1), (GDA.2), (GDA.3)."""
    X = data(rng)
    model = GaussianDiscriminant(shared=shared, shrinkage=0.2).fit(X, Y)
    for k in range(3):
        S, mu = covariance_by_hand(X, shared, k, 0.2), X[k == Y].mean(axis=0)
        np.testing.assert_allclose(model.covariances_[0 if shared else k], S, rtol=1e-10)
        c = X - mu
        exponent = -0.5 * (c @ np.linalg.inv(S) * c).sum(axis=1)
        density = np.exp(exponent) / np.sqrt(np.linalg.det(2 * np.pi * S))
        log_density = model.score_samples(X, np.full(13, k))
        np.testing.assert_allclose(log_density, np.log(density), rtol=1e-9)


def test_gaussian_discriminant_of_one_covariance_is_linear(rng):
    """(GDA.4): softmax of a linear score, the form of logistic regression."""
    X = data(rng)
    model = GaussianDiscriminant().fit(X, Y)
    W, b = model.linear()
    scores = np.exp(X @ W + b)
    np.testing.assert_allclose(model.predict_proba(X), scores / scores.sum(axis=1, keepdims=True), rtol=1e-9)
    with pytest.raises(ValueError, match="linear expected a shared covariance"):
        GaussianDiscriminant(shared=False, shrinkage=0.1).fit(X, Y).linear()


@pytest.mark.parametrize("shared", [True, False])
def test_gaussian_discriminant_integrates_out_what_is_not_seen(shared, rng):
    """(GDA.5) against a sum over a fine grid of the feature that isn't seen."""
    X = data(rng)
    model = GaussianDiscriminant(shared=shared, shrinkage=0.1).fit(X, Y)
    grid, step = np.linspace(-40, 40, 4001, retstep=True)
    full = np.tile(X[:1], (len(grid), 1))
    full[:, 1] = grid
    expected = np.log(np.exp(model.log_likelihoods(full)).sum(axis=0) * step)
    found = model.log_likelihoods(X[:1], seen=np.array([True, False, True]))
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_gaussian_discriminant_samples_have_the_covariance(rng):
    n, X = 40_000, data(rng)
    model = GaussianDiscriminant(shared=False, shrinkage=0.1).fit(X, Y)
    sampled = model.sample(n, rng=rng, y=np.full(n, 2))
    root = np.linalg.cholesky(model.covariances_[2])
    white = np.linalg.solve(root, (sampled - model.means_[2]).T)
    assert (np.abs(white.mean(axis=1)) < 5 / math.sqrt(n)).all()
    assert (np.abs(white @ white.T / n - np.eye(3)) < 5 * math.sqrt(2 / n)).all()


def test_gaussian_discriminant_singular_data_is_named(rng):
    X = data(rng)
    X[Y == 2, 1] = 0.1                                          # the mean of these has a rounding error
    message = r"in class 2 these are constant: 1\. Set a shrinkage > 0, which gives them a variance"
    with pytest.raises(ValueError, match=rf"^GaussianDiscriminant\.fit expected .* {message}"):
        GaussianDiscriminant(shared=False).fit(X, Y)
    GaussianDiscriminant().fit(X, Y)                            # the shared covariance is not singular
    X[:, 1] = 0.1 * Y
    with pytest.raises(ValueError, match="in every class these are constant: 1"):
        GaussianDiscriminant().fit(X, Y)
    for shared in (False, True):
        model = GaussianDiscriminant(shared=shared, shrinkage=0.01).fit(X, Y)
        assert np.isfinite(model.log_joint(X)).all()
    with pytest.raises(ValueError, match="in every class these are constant: 0, 1"):
        GaussianDiscriminant().fit(np.full((13, 2), 0.1), Y)
    few = np.array([0, 0, 0, 0, 0, 1])
    for shrinkage in (0, 0.5):                                  # a single example has no variance
        with pytest.raises(ValueError, match="covariance of class 1, 1 examples of 3 features, is sing"):
            GaussianDiscriminant(shared=False, shrinkage=shrinkage).fit(data(rng)[:6], few)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: m.fit(X, Y % 2 * 2), r"each class 0\.\.2, got none of 1 among 13"),
        (lambda m, X: m.fit(X[:, 0], Y), r"data of shape \(N, D\), got \(13,\)"),
        (lambda m, X: m.predict(X), "GaussianDiscriminant is not fitted yet; call fit"),
        (lambda m, X: m.linear(), "GaussianDiscriminant is not fitted yet; call fit"),
        (lambda m, X: m.fit(X, Y).predict(X[:, :2]), r"\(N, 3\), got \(13, 2\)"),
        (lambda m, X: m.fit(X, Y).predict(X, seen=np.zeros(3, bool)), "at least one feature to be seen"),
        (lambda m, X: GaussianDiscriminant(shrinkage=1.5), r"shrinkage >= 0 and <= 1, got 1.5"),
        (lambda m, X: GaussianDiscriminant(shrinkage=np.nan), r"shrinkage >= 0 and <= 1, got nan"),
    ],
)
def test_gaussian_discriminant_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(GaussianDiscriminant(), data(rng))


@pytest.mark.parametrize("shared", [True, False])
def test_gaussian_discriminant_does_not_depend_on_units(rng, shared):
    """log p(a·x) = log p(x) − Σ log a, and P(y | x) is the same, for units that differ by up to 1e18."""
    y = np.arange(200) % 2
    X = rng.standard_normal((200, 3)) @ np.array([[1, 0.3, 0], [0, 1, -0.4], [0, 0, 1]]) + y[:, None]
    plain = GaussianDiscriminant(shared=shared).fit(X, y)
    for a in ([1, 1, 1e3], [1e9, 1, 1e-9], [1e-12] * 3):
        model = GaussianDiscriminant(shared=shared).fit(X * a, y)
        np.testing.assert_allclose(model.predict_proba(X * a), plain.predict_proba(X), atol=1e-9)
        expected = plain.score_samples(X) - np.log(a).sum()
        np.testing.assert_allclose(model.score_samples(X * a), expected, atol=1e-8)


def test_gaussian_discriminant_finds_features_that_depend_on_each_other(rng):
    X, y = rng.standard_normal((60, 2)), np.arange(60) % 2
    for units in (1, 1e-6):
        with pytest.raises(ValueError, match="covariance of all classes, 60 examples .* is singular"):
            GaussianDiscriminant().fit(np.c_[X, units * X[:, 0]], y)
    constant = np.c_[X, np.zeros(60)]
    assert GaussianDiscriminant(shrinkage=0.1).fit(constant, y).score(constant, y) > 0.4


@pytest.mark.parametrize("shared", [True, False])
def test_gaussian_discriminant_leaves_out_constant_features(rng, shared):
    """A warning names them. All results are those of a model of the other features."""
    X = data(rng)
    wide = np.insert(X, [1, 3], [0.1, 7.0], axis=1)             # features 1 and 4 are constant
    message = r"^GaussianDiscriminant\.fit leaves out .* constant in all examples: 1, 4\. Predictions ignore"
    with pytest.warns(ConstantFeatures, match=message) as seen:
        model = GaussianDiscriminant(shared=shared).fit(wide, Y)
    assert seen[0].filename == __file__
    plain = GaussianDiscriminant(shared=shared).fit(X, Y)
    new = wide + rng.standard_normal(wide.shape)                # may differ from the constants
    rest = new[:, [0, 2, 3]]
    for method in ("predict", "predict_proba", "score_samples", "log_joint"):
        np.testing.assert_array_equal(getattr(model, method)(new), getattr(plain, method)(rest))
    some = np.array([True, True, False, True, True])
    np.testing.assert_array_equal(
        model.predict_proba(new, seen=some), plain.predict_proba(rest, seen=np.array([True, False, True]))
    )
    with pytest.raises(ValueError, match="predict expected seen to include at least one feature that varies"):
        model.predict(new, seen=np.array([False, True, False, False, True]))
    samples = model.sample(9, rng=0)
    assert (samples[:, 1] == 0.1).all() and (samples[:, 4] == 7).all()
    np.testing.assert_array_equal(samples[:, [0, 2, 3]], plain.sample(9, rng=0))
    if shared:
        W, b = model.linear()
        assert not W[[1, 4]].any() and (b == plain.linear()[1]).all()
        np.testing.assert_array_equal(W[[0, 2, 3]], plain.linear()[0])
    GaussianDiscriminant(shared=shared, shrinkage=0.1).fit(wide, Y)     # no warning: all have a variance
