"""Latent codes: importance weights of samples, and the number of used dimensions."""

import math

import numpy as np
import pytest

from scratchgen.layers import Linear
from scratchgen.models import VAE, ClassPriorVAE, latent_usage
from scratchgen.models.vae.codes import LatentUsage
from scratchgen.models.vae.likelihood import sample_posterior


def make(kind, rng, **settings):
    return kind.dense((6, 5, 3), rng=rng, dtype=np.float64, **settings)


@pytest.mark.parametrize("kind", [VAE, ClassPriorVAE])
def test_weights_of_codes_are_log_prior_minus_log_posterior(kind, rng):
    """The weights are compared with the two densities at the codes that the decoder gets."""
    model, X, y = make(kind, rng), rng.integers(0, 2, (5, 6)).astype(float), np.array([0, 3, 3, 9, 1])
    if kind is ClassPriorVAE:
        model.means.value[...] = rng.standard_normal(model.means.shape)
    labels = y if kind is ClassPriorVAE else None
    codes, decode = [], model.decode
    model.decode = lambda z, y=None: codes.append(z) or decode(z, y)
    mu, logvar = model.posterior(X)
    (_, log_px, log_ratio), *more = sample_posterior(model, X, labels, (mu, logvar), 4, rng)
    assert not more
    z, var = codes[0].reshape(5, 4, 3), np.exp(logvar)[:, None]
    m = model.means.value[y][:, None] if kind is ClassPriorVAE else 0
    prior = np.exp(-0.5 * (z - m) ** 2).prod(axis=2)
    posterior = (np.exp(-0.5 * (z - mu[:, None]) ** 2 / var) / np.sqrt(var)).prod(axis=2)
    np.testing.assert_allclose(log_ratio, np.log(prior / posterior), rtol=1e-10, atol=1e-12)
    p = 1 / (1 + np.exp(-decode(codes[0]).reshape(5, 4, 6)))
    np.testing.assert_allclose(log_px, np.log(np.where(X[:, None] == 1, p, 1 - p)).sum(axis=2), rtol=1e-11)


@pytest.mark.parametrize("kind", [VAE, ClassPriorVAE])
def test_closed_form_kl_is_what_drawn_codes_find(kind, rng):
    """(VAE.2), (CVAE.3): the mean of log q − log p over 4,000 codes per example, to five standard errors."""
    model, X, y = make(kind, rng), rng.integers(0, 2, (5, 6)).astype(float), np.array([0, 3, 3, 9, 1])
    if kind is ClassPriorVAE:
        model.means.value[...] = rng.standard_normal(model.means.shape)
    labels = y if kind is ClassPriorVAE else None
    found = [[] for _ in X]
    for part, _, log_ratio in sample_posterior(model, X, labels, model.posterior(X), 4000, rng):
        for i, row in zip(range(*part.indices(5)), log_ratio, strict=True):
            found[i] += row.tolist()
    found = -np.array(found)
    assert found.shape == (5, 4000)
    for x, label, row in zip(X, y, found, strict=True):
        _, cache = model.loss(x[None], None if labels is None else np.array([label]), rng=rng)
        assert abs(row.mean() - cache.kl) < 5 * row.std() / math.sqrt(4000)


def of_heads(weight, bias):
    """A VAE whose encoder is a Linear with the given weight and bias."""
    encoder, decoder = (Linear(*s, rng=np.random.default_rng(0), dtype=np.float64) for s in ((6, 6), (3, 6)))
    encoder.weight.value[...] = weight
    encoder.parameters()["bias"].value[...] = bias
    return VAE(encoder, decoder)


def test_latent_usage_is_the_kl_of_each_dimension(rng):
    """(VAE.2) without the sum over dimensions, averaged over the data."""
    model, X = make(VAE, rng), rng.uniform(size=(9, 6))
    mu, logvar = model.posterior(X)
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(axis=0)
    usage = latent_usage(model, X)
    np.testing.assert_allclose(usage.kl, kl, rtol=1e-12)
    assert usage.kl.sum() == pytest.approx(model.loss(X, rng=rng)[1].kl, rel=1e-12)


def test_latent_usage_names_a_collapse_in_words(rng):
    """A dimension whose posterior is close to the prior for every x, below 0.1 nats, counts as unused."""
    X = rng.uniform(size=(9, 6))
    usage = latent_usage(of_heads(0.0, 0.0), X)
    assert usage.kl.tolist() == [0, 0, 0] and not usage.active.any()
    assert "the posterior has collapsed: none of 3 dimensions carries 0.1 nats" in str(usage)
    assert "lower beta, raise it slowly from 0, or make the decoder weaker" in str(usage)
    assert "collapsed" in str(latent_usage(of_heads(0.0, [0.44, 0, 0, 0, 0, 0]), X))
    assert "collapsed" not in str(latent_usage(of_heads(0.0, [0.45, 0, 0, 0, 0, 0]), X))


def test_latent_usage_counts_what_is_used(rng):
    X, weight = rng.uniform(size=(9, 6)), np.zeros((6, 6))
    weight[2, 1] = 4                                        # mu of the second dimension depends on one pixel
    usage = latent_usage(of_heads(weight, 0.0), X)
    assert usage.active.tolist() == [False, True, False]
    nats = 0.5 * (16 * X[:, 2] ** 2).mean()
    expected = f"1 of 3 dimensions are used, {nats:.1f} nats in all; 2 carry less than 0.1 nats each"
    assert str(usage) == expected
    assert str(LatentUsage(np.array([0.5, 1.0, 2.0]))) == "3 of 3 dimensions are used, 3.5 nats in all"


def test_latent_usage_is_measured_from_the_prior_of_the_class(rng):
    """(CVAE.3): a posterior equal to the prior of its class has a KL of zero."""
    model = ClassPriorVAE(of_heads(0.0, 0.0).encoder, Linear(3, 6, rng=rng), classes=2)
    X, y = np.eye(6), np.zeros(6, int)
    model.means.value[1, 2] = 3
    assert latent_usage(model, X, y).kl.tolist() == [0, 0, 0]
    assert latent_usage(model, X, y + 1).kl.tolist() == [0, 0, 4.5]
    with pytest.raises(ValueError, match="ClassPriorVAE.prior_mean expected labels y"):
        latent_usage(model, X)
