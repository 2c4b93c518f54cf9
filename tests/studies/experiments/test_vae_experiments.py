"""Experiments behind the demos of VAEs, against closed forms, Monte Carlo and finite differences."""

import numpy as np
import pytest

from scratchgen.data import GaussianMixture1D
from scratchgen.models import VAE
from scratchgen.studies.experiments import (
    aggregate_posterior,
    gradient_estimators,
    noise_to_data,
    posterior_noise,
)


def test_kernel_kl_is_exact_for_one_kernel_each():
    """KL(N(a, h²) ‖ N(b, h²)) = (a − b)² / 2h²."""
    kl = noise_to_data.kernel_kl(np.array([0.3]), np.array([-0.2]), 0.1)
    assert kl == pytest.approx(12.5, rel=1e-6)


def test_kl_by_quadrature_is_that_of_two_normals():
    p, q = GaussianMixture1D((1.0,), (0.5,), (1.0,)), GaussianMixture1D((1.0,), (0.0,), (1.5,))
    expected = np.log(1.5) + (1 + 0.25) / (2 * 1.5**2) - 0.5
    assert noise_to_data.kl_by_quadrature(p, q) == pytest.approx(expected, rel=1e-6)


def test_histogram_kl_counts_shares_and_is_infinite_where_q_has_none():
    p, q = np.array([0.0, 0.1, 0.9, 1.0]), np.array([0.0, 0.9, 0.95, 1.0])
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert noise_to_data.histogram_kl(p, q, 2) == pytest.approx(expected)
    assert noise_to_data.histogram_kl(p, np.array([0.9, 1.0]), 2) == np.inf


def test_aggregate_posterior_statistics_are_those_of_their_definitions():
    assert aggregate_posterior.kolmogorov_smirnov(np.zeros((4, 1))) == pytest.approx(0.5)
    assert aggregate_posterior.kolmogorov_smirnov(np.full((4, 1), 9.0)) == pytest.approx(1)

    rng = np.random.default_rng(3)
    z, y = rng.standard_normal((7, 3)) + 1, rng.standard_normal((40_000, 3))

    def kernel(a, b):
        return np.exp(-((a - b) ** 2).sum(axis=-1) / 6)

    between = kernel(z[:, None], z).mean()
    monte_carlo = between - 2 * kernel(z[:, None], y).mean() + kernel(y[::2], y[1::2]).mean()
    assert aggregate_posterior.mmd_to_normal(z) == pytest.approx(monte_carlo, abs=0.01)


def test_gradient_estimators_agree_with_the_known_gradient_of_a_quadratic(rng):
    case = gradient_estimators.quadratic(3, 40_000, rng)
    for name in gradient_estimators.NAMES:
        each = case.estimators[name](8)
        error = each.std(axis=0) / len(each) ** 0.5
        assert (np.abs(each.mean(axis=0) - case.truth) < 5 * error).all()
    table = gradient_estimators.compare([case])
    assert table["reparameterised"]["all"] == 1 < table["score, baseline"]["all"]
    assert table["score, baseline"]["all"] < table["score function"]["all"]


def test_predicted_noise_is_the_curvature_of_a_linear_decoder(rng):
    """For a linear decoder with different weights in each dimension, H is a second difference of the loss."""
    model = VAE.dense((784, 3), rng=rng, dtype=np.float64)
    model.decoder.parameters()["0.weight"].value[...] *= np.array([[3.0], [1.0], [0.3]])
    x = (rng.uniform(size=(4, 784)) < 0.3).astype(np.float64)
    mu, h = model.transform(x), 1e-3

    def nll(z: np.ndarray) -> np.ndarray:
        logits = model.decode(z)
        return (np.logaddexp(0, logits) - x * logits).sum(axis=1)

    curvature = np.stack([nll(mu + h * e) - 2 * nll(mu) + nll(mu - h * e) for e in np.eye(3)], axis=1) / h**2
    predicted = posterior_noise.predicted_noise(model, x)
    np.testing.assert_allclose(predicted, np.sqrt(1 / (1 + curvature)), rtol=1e-4)
    assert np.all(np.diff(predicted, axis=1) > 0.1)
