"""Bayes classifiers of models with a likelihood: one model per class, or one with classes."""

import numpy as np
import pytest

from scratchgen.data import binarise
from scratchgen.models import (
    GAN,
    PCA,
    VAE,
    Autoencoder,
    BayesClassifier,
    ConditionalVAE,
    GaussianDiscriminant,
    MLPClassifier,
    NoLikelihood,
)


def blobs(rng, n=60):
    """Two separate classes of different shapes in 4-D, the first twice as frequent."""
    y = (np.arange(n) % 3 == 0).astype(np.int64)
    X = rng.standard_normal((n, 4)) * np.where(y[:, None] == 1, [1, 2, 0.5, 1], [2, 1, 1, 0.5])
    return X + 3 * y[:, None], y


def stripes(rng, n=120, pixels=12):
    """Noisy binary rows: in class 0 the left half is white, in class 1 the right half."""
    y = rng.integers(2, size=n)
    right = np.arange(pixels) >= pixels // 2
    p = np.where(right == (y[:, None] == 1), 0.9, 0.1)
    return binarise(p.astype(np.float32), rng=rng), y


def test_bayes_classifier_of_pca_adds_the_prior(rng):
    X, y = blobs(rng)
    model = BayesClassifier(lambda: PCA(2))
    assert model.likelihood is None
    model.fit(X, y)
    assert model.likelihood == "exact" and len(model.models_) == 2
    columns = [PCA(2).fit(X[y == k]).score_samples(X) + np.log((y == k).mean()) for k in (0, 1)]
    np.testing.assert_allclose(model.log_joint(X), np.stack(columns, axis=1), rtol=1e-12)
    np.testing.assert_allclose(model.score_samples(X), np.logaddexp(*columns), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), np.argmax(columns, axis=0))


def test_bayes_classifier_of_full_gaussians_is_qda(rng):
    """PCA with D − 1 components has the exact covariance of the data."""
    X, y = blobs(rng)
    bayes = BayesClassifier(lambda: PCA(3)).fit(X, y)
    qda = GaussianDiscriminant(shared=False).fit(X, y)
    np.testing.assert_allclose(bayes.log_joint(X), qda.log_joint(X), rtol=1e-9)


def test_bayes_classifier_of_vaes_tells_classes_apart(rng):
    X, y = stripes(rng)
    model = BayesClassifier(lambda: VAE.dense((12, 8, 2), rng=rng, binarisation="none"))
    model.fit(X, y, epochs=30, batch_size=20, lr=1e-2, rng=rng)
    assert model.likelihood == "importance-sampled"
    fresh, labels = stripes(rng)
    assert model.score(fresh, labels, samples=20) > 0.95
    sampled = model.sample(40, rng=rng, y=np.repeat([0, 1], 20))
    left = sampled[:, :6].mean(axis=1)
    assert sampled.shape == (40, 12) and left[:20].mean() > left[20:].mean() + 0.4


def test_bayes_classifier_of_a_conditional_model_scores_each_class(rng):
    X, y = stripes(rng)
    inner = ConditionalVAE.dense((12, 8, 1), rng=rng, classes=2, binarisation="none")
    model = BayesClassifier(inner)
    assert model.likelihood == "importance-sampled"
    model.fit(X, y, epochs=30, batch_size=20, lr=1e-2, rng=rng)
    fresh, labels = stripes(rng)
    assert model.score(fresh, labels, samples=20) > 0.95
    for k in (0, 1):
        expected = inner.score_samples(fresh, np.full(len(fresh), k), samples=5)
        np.testing.assert_array_equal(model.log_likelihoods(fresh, samples=5)[:, k], expected)
    left = model.sample(60, rng=rng, y=np.repeat([0, 1], 30))[:, :6].mean(axis=1)
    assert left[:30].mean() > left[30:].mean() + 0.4


def test_bayes_classifier_requires_a_likelihood(rng):
    autoencoder = BayesClassifier(lambda: Autoencoder.dense((4, 3, 2), rng=rng))
    with pytest.raises(NoLikelihood, match="got Autoencoder, which has none: Bayes' theorem needs log p"):
        autoencoder.fit(*blobs(rng))
    with pytest.raises(NoLikelihood, match="got MLPClassifier, which has none"):
        BayesClassifier(lambda: MLPClassifier((4, 2), rng=rng)).fit(*blobs(rng))
    with pytest.raises(NoLikelihood, match="got GAN, which has none"):
        BayesClassifier(lambda: GAN.dense(rng=rng)).fit(*blobs(rng))
    with pytest.raises(NoLikelihood, match="got MLPClassifier, which has none"):
        BayesClassifier(MLPClassifier((4, 2), rng=rng))         # does not suggest one per class


def test_bayes_classifier_requires_a_new_model_for_each_class(rng):
    pca = PCA(2)
    with pytest.raises(ValueError, match="builds a new model each time, got the same one"):
        BayesClassifier(lambda: pca).fit(*blobs(rng))


def test_bayes_classifier_requires_a_model_with_classes_or_a_function(rng):
    vae = VAE.dense((4, 3, 2), rng=rng)
    with pytest.raises(TypeError, match=r"has classes, got VAE: try .*lambda: VAE\(\.\.\.\)"):
        BayesClassifier(vae)
    with pytest.raises(TypeError, match="a model or a function that builds one, got str"):
        BayesClassifier("VAE")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, y, rng: m.fit(X), "BayesClassifier.fit expected labels y"),
        (lambda m, X, y, rng: m.fit(X, 2 * y), r"each class 0\.\.2, got none of 1 among 60"),
        (lambda m, X, y, rng: m.fit(X[:3], y[:3]), "PCA.fit expected at least 2 examples, got 1"),
        (lambda m, X, y, rng: m.predict(X), "BayesClassifier is not fitted yet"),
        (lambda m, X, y, rng: m.fit(X, y).predict(X[:, :2]), r"\(N, 4\), got \(60, 2\)"),
    ],
)
def test_bayes_classifier_bad_input_is_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(BayesClassifier(lambda: PCA(2)), *blobs(rng), rng)


def test_bayes_classifier_of_another_number_of_classes_is_named(rng):
    model = BayesClassifier(ConditionalVAE.dense((12, 8, 1), rng=rng, classes=3, binarisation="none"))
    with pytest.raises(ValueError, match="BayesClassifier.fit expected 3 classes, got 2"):
        model.fit(*stripes(rng), epochs=1, rng=rng)
