"""The bound and the importance-sampled likelihood, for models whose log p(x) is known."""

import math

import numpy as np
import pytest

from scratchgen.layers import Linear
from scratchgen.models import VAE, ConditionalVAE, NormalPixels
from scratchgen.models.vae.likelihood import sample_posterior

STD = 0.5
LOADINGS = np.array([0.8, 0.3])     # lengths of the columns of W


def linear(weight, bias):
    layer = Linear(*weight.shape, rng=np.random.default_rng(0), dtype=np.float64)
    layer.weight.value[...] = weight
    layer.parameters()["bias"].value[...] = bias
    return layer


def factor_model(rng, off=0.0):
    """x = W·z + b + STD·noise, with the exact posterior for an encoder where `off` is 0.

    The columns of W are orthogonal, so z given x is N(var·Wᵀ(x − b) / STD², var), var = 1 / (1 + |w|²/STD²),
    without correlation, which is what a VAE's posterior can be. Returns (VAE, W, b).
    """
    q, _ = np.linalg.qr(rng.standard_normal((5, 2)))
    W, b = q * LOADINGS, rng.standard_normal(5)
    var = 1 / (1 + LOADINGS**2 / STD**2)
    to_mu = W * var / STD**2
    weight = np.concatenate([to_mu, np.zeros_like(W)], axis=1)
    bias = np.concatenate([-b @ to_mu + off, np.log(var) + off])
    return VAE(linear(weight, bias), linear(W.T, b), observation=NormalPixels(STD)), W, b


def gaussian_log_density(X, mean, cov):
    _, logdet = np.linalg.slogdet(cov)
    offset = X - mean
    quadratic = (offset * np.linalg.solve(cov, offset.T).T).sum(axis=1)
    return -0.5 * (quadratic + logdet + X.shape[1] * math.log(2 * math.pi))


def exact(X, W, b):
    """log N(x; b, W·Wᵀ + STD²·I)."""
    return gaussian_log_density(X, b, W @ W.T + STD**2 * np.eye(len(b)))


def expected_loss(model, x):
    """The expected loss over the noise. It is quadratic in eps, so four points give the exact mean."""
    signs = [np.tile([a, b], (len(x), 1)) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    return np.mean([model.loss(x, eps=eps)[0] for eps in signs])


def spread(model, X, y=None):
    """The standard deviation of log p(x | z) over z ~ q(z | x), for the exact posterior.

    There log p(x | z) = log p(x) + log q(z | x) − log p(z), which varies as ½·(std² − 1)·eps² + mu·std·eps.
    """
    mu, logvar = model.posterior(X, y)
    return np.sqrt((mu**2 * np.exp(logvar) + 0.5 * (np.exp(logvar) - 1) ** 2).sum(axis=1))


def test_bound_is_tight_with_the_exact_posterior(rng, backend):
    """(VAE.1): −loss is log p(x) up to rounding if q(z | x) is the true posterior."""
    model, W, b = factor_model(rng)
    X = 2 * rng.standard_normal((6, 5))
    assert -expected_loss(model, X) == pytest.approx(exact(X, W, b).mean(), rel=1e-12)
    off = model.elbo(X, rng=rng, samples=5000) - exact(X, W, b)
    assert (np.abs(off) < 5 * spread(model, X) / math.sqrt(5000)).all()


def test_importance_sampling_with_the_exact_posterior_has_no_variance(rng, backend):
    """(VAE.11): every weight p(x | z)·p(z) / q(z | x) is p(x), so one sample is enough."""
    model, W, b = factor_model(rng)
    X = 2 * rng.standard_normal((6, 5))
    for samples, seed in ((1, 0), (1, 1), (150, 2)):
        found = model.score_samples(X, samples=samples, rng=np.random.default_rng(seed))
        np.testing.assert_allclose(found, exact(X, W, b), rtol=1e-11)


def test_bound_misses_by_the_divergence_from_the_true_posterior(rng):
    """(VAE.1): log p(x) − ELBO = KL(q(z | x) ‖ p(z | x)), here a sum over independent dimensions."""
    model, W, b = factor_model(rng, off=0.7)
    X = 2 * rng.standard_normal((6, 5))
    var = 1 / (1 + LOADINGS**2 / STD**2)
    gap = 0.5 * (0.7**2 / var + math.exp(0.7) - 1 - 0.7).sum()
    assert exact(X, W, b).mean() + expected_loss(model, X) == pytest.approx(gap, rel=1e-11)


def test_importance_sampled_bound_grows_from_the_elbo_to_the_likelihood(rng):
    """(VAE.11): with a wrong encoder and 2,000 examples, each step is many standard errors."""
    model, W, b = factor_model(rng, off=0.7)
    X = b + rng.standard_normal((2000, 2)) @ W.T + STD * rng.standard_normal((2000, 5))
    truth = exact(X, W, b)
    differences = [truth - model.elbo(X, rng=rng, samples=30)]
    differences += [truth - model.score_samples(X, rng=rng, samples=k) for k in (2, 8, 64, 1000)]
    gaps = np.mean(differences, axis=1)
    errors = np.std(differences, axis=1) / math.sqrt(len(X))
    steps = -np.diff(gaps)
    assert (steps[:3] > 5 * np.hypot(errors[1:4], errors[:3])).all()
    assert steps[3] > 0 and abs(gaps[4]) < 0.01


def test_one_importance_sample_is_the_elbo_on_average(rng):
    """With S = 1, the log-mean-exp is a mean, so both have the same expectation."""
    model, W, b = factor_model(rng, off=0.3)
    X = b + rng.standard_normal((4000, 5))
    difference = model.score_samples(X, rng=rng, samples=1) - model.elbo(X, rng=rng)
    assert abs(difference.mean()) < 5 * difference.std() / math.sqrt(len(X))


def test_score_samples_of_bernoulli_pixels_is_what_quadrature_finds(rng, backend):
    """(VAE.11) against the integral of p(x | z)·p(z) over a code of one dimension."""
    model = VAE.dense((6, 5, 1), rng=rng, dtype=np.float64)
    for p in model.decoder.parameters().values():
        p.value *= 2
    model.encoder.parameters()["2.bias"].value[1] += 0.7    # wide, so that no sample has a much larger weight
    X = rng.integers(0, 2, (7, 6)).astype(float)
    z = np.linspace(-10, 10, 2001)[:, None]
    p = 1 / (1 + np.exp(-model.decode(z)))                  # (Z, D)
    likelihood = np.where(X[:, None] == 1, p, 1 - p).prod(axis=2)
    prior = np.exp(-0.5 * z[:, 0] ** 2) / math.sqrt(2 * math.pi)
    truth = np.log((likelihood * prior).sum(axis=1) * (z[1, 0] - z[0, 0]))
    found = model.score_samples(X, samples=20_000)
    weights = [[] for _ in X]                               # the same samples, from the same seed
    for part, *logs in sample_posterior(model, X, None, model.posterior(X), 20_000, np.random.default_rng(0)):
        for i, row in zip(range(*part.indices(len(X))), np.exp(sum(logs)), strict=True):
            weights[i] += row.tolist()
    errors = [np.std(w) / np.mean(w) / math.sqrt(len(w)) for w in weights]  # of the log of a mean
    assert max(errors) < 0.02
    assert (np.abs(found - truth) < 5 * np.array(errors)).all()
    bound = model.elbo(X, rng=rng, samples=2000)
    assert (bound < truth).all()


def test_score_samples_is_the_log_mean_exp_of_the_weights(rng, backend):
    """(VAE.11) by hand. The samples are drawn in parts, which together include all examples and samples."""
    model = VAE.dense((6, 5, 2), rng=rng, dtype=np.float64)
    X = rng.integers(0, 2, (23, 6)).astype(float)

    def weights(rows):
        found = [[] for _ in X]
        seeded = np.random.default_rng(0)
        for part, log_px, log_ratio in sample_posterior(model, X, None, model.posterior(X), 7, seeded, rows):
            assert log_px.shape == log_ratio.shape and log_px.size <= rows
            for i, row in zip(range(*part.indices(len(X))), np.exp(log_px + log_ratio), strict=True):
                found[i] += row.tolist()
        assert {len(row) for row in found} == {7}
        return np.array(found)

    assert weights(100).shape == weights(400).shape
    found = model.score_samples(X, samples=7)
    np.testing.assert_allclose(found, np.log(weights(10_000).mean(axis=1)), rtol=1e-12)
    np.testing.assert_array_equal(found, model.score_samples(X, samples=7))
    assert not np.array_equal(found, model.score_samples(X, samples=7, rng=rng))


def test_score_samples_of_many_codes_and_examples_goes_in_parts(rng):
    """With the exact posterior, each example has its own log p(x), in any part."""
    model, W, b = factor_model(rng)
    X = 2 * rng.standard_normal((230, 5))
    np.testing.assert_allclose(model.score_samples(X, samples=130), exact(X, W, b), rtol=1e-11)


def test_score_samples_does_not_underflow():
    """Weights of e^−4000 underflow to zero, but their logarithms are finite."""
    model = VAE(linear(np.zeros((3, 2)), 0.0), linear(np.zeros((1, 3)), 0.0), observation=NormalPixels(0.01))
    X = np.full((2, 3), 0.5)
    expected = gaussian_log_density(X, np.zeros(3), 1e-4 * np.eye(3))
    assert expected.max() < -3700
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-12)


def test_samples_have_the_moments_of_the_model(rng):
    """Samples have the mean b and the covariance W·Wᵀ + STD²·I, to five standard errors."""
    n = 20_000
    model, W, b = factor_model(rng)
    X, cov = model.sample(n, rng=rng), W @ W.T + STD**2 * np.eye(5)
    assert (np.abs(X.mean(axis=0) - b) < 5 * np.sqrt(np.diag(cov) / n)).all()
    error = np.sqrt((cov**2 + np.outer(np.diag(cov), np.diag(cov))) / n)
    assert (np.abs(np.cov(X.T) - cov) < 5 * error).all()
    Z = model.prior_sample(n, rng=rng)
    assert (np.abs(Z.mean(axis=0)) < 5 / math.sqrt(n)).all()
    assert (np.abs(Z.var(axis=0) - 1) < 5 * math.sqrt(2 / n)).all()


def test_conditional_bound_is_tight_with_the_exact_posterior_of_each_class(rng):
    """For x = W·z + b_y + noise, log p(x | y) is known; encoder, decoder and all parts use the labels."""
    plain, W, b = factor_model(rng)
    of_class = 3 * rng.standard_normal((4, 5))              # b_y − b
    h = plain.encoder
    encoder = linear(
        np.concatenate([h.weight.value, -of_class @ h.weight.value]), h.parameters()["bias"].value
    )
    decoder = linear(np.concatenate([W.T, of_class]), b)
    model = ConditionalVAE(encoder, decoder, classes=4, observation=NormalPixels(STD))
    X, y = 2 * rng.standard_normal((230, 5)), rng.integers(0, 4, 230)
    truth = exact(X - of_class[y], W, b)
    np.testing.assert_allclose(model.score_samples(X, y, samples=130), truth, rtol=1e-11)
    off = model.elbo(X, y, rng=rng, samples=1000) - truth
    assert (np.abs(off) < 5 * spread(model, X, y) / math.sqrt(1000)).all()
