"""Naive Bayes, and the methods that all generative classifiers share."""

import itertools
import math

import numpy as np
import pytest

from scratchgen.models import BernoulliNaiveBayes, GaussianNaiveBayes

Y = np.array([0, 1, 0, 2, 1, 0, 2, 1, 0])


def pixels(rng, n=9, d=4):
    return rng.integers(2, size=(n, d)).astype(np.float64)


def all_rows(d):
    return np.array(list(itertools.product([0.0, 1.0], repeat=d)))


def test_bernoulli_naive_bayes_counts(rng):
    """(NB.1), (NB.2), (NB.3): the table written out by loops, and its linear form."""
    X = pixels(rng)
    model = BernoulliNaiveBayes(smoothing=0.7).fit(X, Y)
    joint, W, b = np.zeros((9, 3)), np.zeros((4, 3)), np.zeros(3)
    for k in range(3):
        b[k] = math.log((k == Y).mean())
        joint[:, k] = b[k]
        for d in range(4):
            theta = (X[k == Y, d].sum() + 0.7) / ((k == Y).sum() + 1.4)
            joint[:, k] += np.log(np.where(X[:, d] == 1, theta, 1 - theta))
            W[d, k] = math.log(theta / (1 - theta))
            b[k] += math.log(1 - theta)
    np.testing.assert_allclose(model.log_joint(X), joint, rtol=1e-12)
    np.testing.assert_allclose(X @ W + b, joint, rtol=1e-12)
    np.testing.assert_allclose(model.logits_, W.T, rtol=1e-12)


def test_generative_classifier_follows_bayes(rng):
    """(BAYES.1), (BAYES.2), (BAYES.3) on all 16 possible examples, whose probabilities sum to 1."""
    model, X = BernoulliNaiveBayes().fit(pixels(rng), Y), all_rows(4)
    prior = np.bincount(Y) / 9
    px_y = np.exp(np.stack([model.score_samples(X, np.full(16, k)) for k in range(3)], axis=1))
    np.testing.assert_allclose(px_y.sum(axis=0), 1, rtol=1e-12)
    px = (px_y * prior).sum(axis=1)
    np.testing.assert_allclose(np.exp(model.score_samples(X)), px, rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(X), px_y * prior / px[:, None], rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), (px_y * prior).argmax(axis=1))
    assert model.likelihood == "exact" and px.sum() == pytest.approx(1, rel=1e-12)


def test_bernoulli_naive_bayes_sums_out_what_is_not_seen(rng):
    """(NB.4) against the sum over all values of the unseen features."""
    model, seen = BernoulliNaiveBayes().fit(pixels(rng), Y), np.array([True, False, True, False])
    x = np.array([[1.0, 0, 0, 1]])
    full = np.repeat(x, 4, axis=0)
    full[:, ~seen] = all_rows(2)
    expected = np.log(np.exp(model.log_likelihoods(full)).sum(axis=0))
    np.testing.assert_allclose(model.log_likelihoods(x, seen=seen)[0], expected, rtol=1e-12)
    x[:, ~seen] = 1 - x[:, ~seen]
    np.testing.assert_allclose(model.log_likelihoods(x, seen=seen)[0], expected, rtol=1e-12)
    assert model.score(x, [int(expected.argmax())], seen=seen) in (0, 1)


def test_bernoulli_naive_bayes_smoothing_gives_unseen_values_a_probability():
    X, y = np.array([[0.0, 1], [0, 0], [1, 1], [1, 0]]), np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match="smoothing > 0, as feature 0 is constant in class 0"):
        BernoulliNaiveBayes(smoothing=0).fit(X, y)
    model = BernoulliNaiveBayes().fit(X, y)
    np.testing.assert_allclose(1 / (1 + np.exp(-model.logits_)), [[0.25, 0.5], [0.75, 0.5]])
    assert np.isfinite(model.log_joint(all_rows(2))).all()


def test_gaussian_naive_bayes_has_the_moments_of_its_classes(rng):
    """(NB.5), and (NB.1) with the Normal density by the textbook."""
    X = rng.standard_normal((9, 4)) * [1, 2, 3, 0.1] + 1
    model = GaussianNaiveBayes(smoothing=0.01).fit(X, Y)
    joint = np.zeros((9, 3))
    for k in range(3):
        mu, var = X[k == Y].mean(axis=0), X[k == Y].var(axis=0) + 0.01 * X.var(axis=0).max()
        np.testing.assert_allclose(model.means_[k], mu)
        np.testing.assert_allclose(model.variances_[k], var)
        density = np.exp(-((X - mu) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)
        joint[:, k] = np.log((k == Y).mean() * density.prod(axis=1))
    np.testing.assert_allclose(model.log_joint(X), joint, rtol=1e-10)
    left = np.array([True, True, False, False])                 # (NB.4): only the seen features
    narrow = GaussianNaiveBayes(smoothing=0).fit(X[:, :2], Y)
    wide = GaussianNaiveBayes(smoothing=0).fit(X, Y)
    np.testing.assert_allclose(wide.log_joint(X, seen=left), narrow.log_joint(X[:, :2]), rtol=1e-12)


def test_gaussian_naive_bayes_of_shared_variances_is_lda_of_a_diagonal(rng):
    X = rng.standard_normal((9, 3)) * [1, 2, 3]
    model = GaussianNaiveBayes(smoothing=0, shared=True).fit(X, Y)
    centred = X - model.means_[Y]
    np.testing.assert_allclose(model.variances_, np.tile((centred**2).mean(axis=0), (3, 1)))
    W = (model.means_ / model.variances_).T
    scores = X @ W - 0.5 * (model.means_ * W.T).sum(axis=1) + np.log(np.bincount(Y) / 9)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), p, rtol=1e-9)


def test_gaussian_naive_bayes_constant_feature_is_smoothed_or_refused(rng):
    X = rng.standard_normal((9, 3))
    X[:, 1] = 4
    assert np.isfinite(GaussianNaiveBayes().fit(X, Y).log_joint(X + 0.1)).all()
    with pytest.raises(ValueError, match="but feature 1 is constant in class 0: leave it out, or set"):
        GaussianNaiveBayes(smoothing=0).fit(X, Y)
    with pytest.raises(ValueError, match="but feature 0 is constant .* needs one feature that varies"):
        GaussianNaiveBayes().fit(np.full_like(X, 2), Y)


def test_naive_bayes_of_float32_is_that_of_float64(rng):
    X = rng.standard_normal((9, 3)).astype(np.float32)
    a, b = (GaussianNaiveBayes().fit(x, Y) for x in (X, X.astype(np.float64)))
    np.testing.assert_allclose(a.log_joint(X), b.log_joint(X.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("model", [BernoulliNaiveBayes(threshold=0.3), GaussianNaiveBayes()])
def test_naive_bayes_samples_have_the_moments_of_the_class(model, rng):
    n, X = 20_000, rng.standard_normal((9, 3))
    model.fit(X, Y)
    y = np.repeat([0, 2], n)
    sampled = model.sample(2 * n, rng=rng, y=y)
    assert sampled.shape == (2 * n, 3)
    for k in (0, 2):
        part = sampled[y == k]
        if isinstance(model, GaussianNaiveBayes):
            mean, var = model.means_[k], model.variances_[k]
            assert (np.abs(part.var(axis=0) / var - 1) < 5 * math.sqrt(2 / n)).all()
        else:
            mean = 1 / (1 + np.exp(-model.logits_[k]))
            var = mean * (1 - mean)
        assert (np.abs(part.mean(axis=0) - mean) < 5 * np.sqrt(var / n)).all()


def test_generative_classifier_draws_classes_from_the_prior(rng):
    X, y = np.array([[0.0], [100], [100], [200]]), np.array([0, 1, 1, 2])
    sampled = GaussianNaiveBayes(smoothing=1e-6).fit(X, y).sample(4000, rng=rng)
    shares = np.bincount(np.rint(sampled[:, 0] / 100).astype(int), minlength=3) / 4000
    assert (np.abs(shares - [0.25, 0.5, 0.25]) < 5 * 0.5 / math.sqrt(4000)).all()


def test_generative_classifier_names_an_example_that_is_too_far(rng):
    model = GaussianNaiveBayes().fit(rng.standard_normal((9, 2)), Y)
    far = np.array([[0.0, 0], [1e100, 0]])
    np.testing.assert_allclose(model.predict_proba(far).sum(axis=1), 1)     # far, but still finite
    far[1] = 1e200
    with pytest.raises(ValueError, match=r"Gaussian.* too far from all classes \(first in row 1\)"):
        model.predict_proba(far)
    with pytest.raises(ValueError, match=r"Gaussian.* too far from all classes \(first in row 1\)"):
        model.score_samples(far, np.array([0, 1]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, rng: m.fit(X), "BernoulliNaiveBayes.fit expected labels y"),
        (lambda m, X, rng: m.fit(X, Y + (Y == 2)), r"each class 0\.\.3, got none of 2 among 9"),
        (lambda m, X, rng: m.fit(X, Y + 1), r"each class 0\.\.3, got none of 0 among"),
        (lambda m, X, rng: m.fit(X, Y - 1), r"labels of at least 0, got -1\.\.1"),
        (lambda m, X, rng: m.fit(X[:2], [0, 7]), r"each class 0\.\.7, got none of 1, 2, 3, 4, 5, 6 among 2"),
        (lambda m, X, rng: m.fit(X, 0 * Y), "at least two classes, got only class 0"),
        (lambda m, X, rng: m.fit(X / 2, Y), "exactly 0 or 1, .* or set a threshold"),
        (lambda m, X, rng: m.fit(X * 2, Y), r"within \[0, 1\], got 0 to 2; .* or set a threshold"),
        (lambda m, X, rng: m.fit(X * np.nan, Y), "finite numbers, got NaN"),
        (lambda m, X, rng: m.fit(X, Y).predict(X[:, :2]), r"\(N, 4\), got \(9, 2\)"),
        (lambda m, X, rng: m.predict(X), "BernoulliNaiveBayes is not fitted yet"),
        (lambda m, X, rng: m.score_samples(X, Y), "BernoulliNaiveBayes is not fitted yet"),
        (lambda m, X, rng: m.sample(3, rng=rng), "BernoulliNaiveBayes is not fitted yet"),
        (lambda m, X, rng: m.fit(X, Y).sample(0, rng=rng), "sample expected n of at least 1, got 0"),
        (lambda m, X, rng: m.fit(X, Y).sample(2, rng=rng, y=[0, 3]), r"labels in 0\.\.2, got 0\.\.3"),
        (lambda m, X, rng: m.fit(X, Y).sample(2, rng=rng, y=[0]), "expected 2 integer labels"),
        (lambda m, X, rng: m.fit(X, Y).predict(X, seen=np.ones(3, bool)), r"shape \(4,\), got \(3,\)"),
        (lambda m, X, rng: m.fit(X, Y).predict(X, seen=np.zeros(4, bool)), "at least one feature to be seen"),
        (lambda m, X, rng: BernoulliNaiveBayes(smoothing=-1), "finite smoothing >= 0, got -1"),
        (lambda m, X, rng: GaussianNaiveBayes(smoothing=np.inf), "finite smoothing >= 0, got inf"),
        (lambda m, X, rng: GaussianNaiveBayes().predict(X), "GaussianNaiveBayes is not fitted yet"),
    ],
)
def test_naive_bayes_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(BernoulliNaiveBayes(), pixels(rng), rng)


def test_naive_bayes_wrong_types_are_named(rng):
    model = BernoulliNaiveBayes().fit(pixels(rng), Y)
    with pytest.raises(TypeError, match="seen as an array of bool, got dtype int64"):
        model.predict(pixels(rng), seen=np.ones(4, np.int64))
    with pytest.raises(TypeError, match="expected integer labels, got dtype float64"):
        model.fit(pixels(rng), Y * 1.0)
