"""Langevin sampling with exact scores: moments of a Normal, shares of a mixture, refused arguments."""

import numpy as np
import pytest
from models.diffusion.mixture_networks import Mixture, diffusion, two_clusters

from scratchgen.models import Diffusion


def normal(std):
    return Mixture([1.0], [[1.0]], [[[std**2]]])


def test_langevin_step_is_drift_along_the_score_and_noise(rng):
    """(LANG.1, LANG.2): the mean and the standard deviation of one step from a fixed point."""
    model, factors = diffusion(normal(0.5), steps=20)
    x = np.full((200_000, 1), 0.3)
    a, s = factors(0.4)
    moved = model._langevin_step(x, model.denoise(x, 8)[1], 8, 0.3, rng)
    size = 0.3 * s**2
    assert abs(moved.mean() - (0.3 + 0.5 * size * normal(0.5).score(x[:1], a, s)[0, 0])) < 0.005
    assert abs(moved.std() - np.sqrt(size)) < 0.005


def test_langevin_at_one_level_has_the_variance_of_its_step_size():
    """(LANG.1): where it has converged, a Normal of variance V gets V/(1 − δ/(4·V)), here by (LANG.2)."""
    model, factors = diffusion(normal(1.0), steps=20)
    rng, t, h = np.random.default_rng(0), 12, 1.0
    a, s = factors(t / 20)
    x = rng.standard_normal((20_000, 1))
    for _ in range(40):
        x = model._langevin_step(x, model.denoise(x, t)[1], t, h, rng)
    variance = a**2 + s**2
    assert abs(x.var() / (variance / (1 - h * s**2 / (4 * variance))) - 1) < 0.03
    assert x.var() / variance > 1.1
    assert abs(x.mean() - a) < 0.03


def test_levels_fall_by_a_factor_from_noise_to_the_first_step():
    model = Diffusion.dense(2, 4, 1, steps=1000, rng=0)
    levels = model._noise_levels(20, "here")
    ratio = model.noise.s[levels] / model.noise.a[levels]
    assert levels[-1] == 1 and len(levels) == 20 and (np.diff(levels) < 0).all()
    assert 9 < ratio[0] < 10.5
    factors = ratio[:-6] / ratio[1:-5]      # near t = 1, a whole step is a large factor
    assert factors.min() > 1.3 and factors.max() < 1.7
    assert model._noise_levels(1, "here") == [1]


@pytest.mark.parametrize("how", [{}, {"predictor": True, "steps": 3}], ids=["Langevin", "predictor"])
def test_annealed_langevin_has_the_moments_of_a_normal(how):
    """(LANG.3) or a step of ancestral sampling between the levels."""
    mean, covariance = np.array([1.0, -2.0]), np.array([[1.0, 0.6], [0.6, 0.8]])
    model, _ = diffusion(Mixture([1.0], [mean], [covariance]))
    x = model.langevin(2500, rng=0, **how)
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=0.07)
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.15)


def test_annealed_langevin_has_the_shares_of_a_mixture_and_one_level_has_not():
    mixture = two_clusters()
    model, _ = diffusion(mixture)
    shares = {}
    for levels in (1, 20):
        x = model.langevin(1500, rng=0, noise_levels=levels)
        y = mixture.shares(x).argmax(axis=1)
        shares[levels] = (y == 0).mean()
    np.testing.assert_allclose(x[y == 0].mean(axis=0), mixture.means[0], atol=0.1)
    np.testing.assert_allclose(x[y == 1].mean(axis=0), mixture.means[1], atol=0.1)
    assert abs(shares[20] - 0.25) < 0.04
    assert shares[1] > 0.4      # the points stay near their start, which is N(0, I)


def test_langevin_repeats_with_its_seed_and_clips_to_the_range_of_the_data(rng):
    X = rng.uniform(-1, 1, (64, 2)).astype(np.float32)
    model = Diffusion.dense(2, 4, 1, steps=10, rng=0).fit(X, epochs=1, rng=0)
    first, second = (model.langevin(50, rng=3, noise_levels=4, steps=2) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (50, 2) and first.dtype == np.float32
    assert (first >= X.min(axis=0) - 1e-6).all() and (first <= X.max(axis=0) + 1e-6).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, r"n of at least 1, got 0"),
        ({"noise_levels": 0}, r"noise_levels of at least 1, got 0"),
        ({"noise_levels": 11}, r"noise_levels of at most 10, got 11"),
        ({"steps": 0}, r"steps of at least 1, got 0"),
        ({"steps": 2.5}, r"steps to be an int"),
        ({"step_size": 0}, r"a finite step_size > 0 and <= 1, got 0"),
        ({"step_size": float("nan")}, r"a finite step_size > 0 and <= 1, got nan"),
        ({"predictor": 1}, r"predictor to be True or False"),
        ({"y": np.zeros(3, int)}, r"no labels y"),
        ({"guidance": 1.0}, r"labels y of a model with classes"),
        ({"guide": "a class"}, r"guide to be a ClassifierGuidance, got str"),
        ({"rng": None}, r"rng to be"),
    ],
)
def test_langevin_refuses_wrong_arguments(wrong, message):
    model = Diffusion.dense(2, 4, 1, steps=10, rng=0)
    with pytest.raises((TypeError, ValueError), match=rf"^Diffusion\.langevin expected {message}"):
        model.langevin(**{"n": 3, "rng": 0, **wrong})
