"""The noise schedules and the three readings of a network, against closed forms and brute force."""

import numpy as np
import pytest

from scratchgen.models.diffusion.schedule import TARGETS, NoiseSchedule, target_of, x0_and_eps

KINDS = ("linear", "cosine")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [2, 10, 1000])
def test_schedule_goes_from_the_data_to_noise(kind, steps):
    """(SCHED.2, SCHED.3, SCHED.4)."""
    noise = NoiseSchedule(steps, kind)
    assert noise.alpha_bar[0] == 1 and (np.diff(noise.alpha_bar) < 0).all()
    assert ((noise.beta[1:] > 0) & (noise.beta[1:] < 1)).all()
    np.testing.assert_allclose(noise.a**2 + noise.s**2, 1, rtol=1e-14)
    if steps == 1000:
        assert noise.alpha_bar[-1] < 1e-4


def test_linear_schedule_is_the_published_one():
    """(SCHED.3): Ho et al. 2020, section 4: from 1e-4 to 0.02 in 1,000 steps."""
    beta = NoiseSchedule(1000, "linear").beta
    assert beta[1] == 1e-4 and beta[1000] == 0.02
    np.testing.assert_allclose(np.diff(beta[1:]), (0.02 - 1e-4) / 999)


def test_cosine_schedule_halves_in_the_middle():
    """(SCHED.4): Nichol & Dhariwal 2021: alpha_bar is a squared cosine."""
    noise = NoiseSchedule(1000, "cosine")
    t = np.arange(900)
    f = np.cos(0.5 * np.pi * (t / 1000 + 0.008) / 1.008) ** 2
    np.testing.assert_allclose(noise.alpha_bar[:900], f / f[0], rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_chain_of_steps_has_the_moments_of_one_jump(kind, rng):
    """(SCHED.1), (SCHED.2): 50 steps one after another, and (DIFF.1)."""
    noise = NoiseSchedule(50, kind)
    x = np.full(200_000, 0.7)
    for t in range(1, 51):
        x = np.sqrt(1 - noise.beta[t]) * x + np.sqrt(noise.beta[t]) * rng.standard_normal(x.size)
        if t in (3, 20, 50):
            assert abs(x.mean() - 0.7 * noise.a[t]) < 0.01
            assert abs(x.std() - noise.s[t]) < 0.01


@pytest.mark.parametrize("t", [2, 5, 9, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_posterior_of_a_step_is_that_of_bayes_theorem_on_a_grid(kind, t):
    """(SCHED.5) against q(x_t | x_(t−1))·q(x_(t−1) | x_0), normalised on a fine grid."""
    noise = NoiseSchedule(10, kind)
    x0, xt = 0.8, -0.3
    grid = np.linspace(-6, 6, 200_001)
    log_q = -0.5 * (xt - np.sqrt(1 - noise.beta[t]) * grid) ** 2 / noise.beta[t]
    log_q -= 0.5 * (grid - noise.a[t - 1] * x0) ** 2 / noise.s[t - 1] ** 2
    q = np.exp(log_q - log_q.max())
    q /= q.sum()
    mean = (q * grid).sum()
    variance = (q * (grid - mean) ** 2).sum()
    of_x0, of_xt, b = noise.posterior(t)
    np.testing.assert_allclose([of_x0 * x0 + of_xt * xt, b], [mean, variance], rtol=1e-6)


@pytest.mark.parametrize("kind", TARGETS)
def test_every_target_gives_back_data_and_noise(kind, rng):
    """(PRED.1, PRED.2, PRED.3): the conversions are exact inverses."""
    x0, eps = rng.standard_normal((2, 5, 3))
    angle = rng.uniform(0.1, 1.4, (5, 1))
    a, s = np.cos(angle), np.sin(angle)
    found = x0_and_eps(kind, target_of(kind, x0, eps, a, s), a * x0 + s * eps, a, s)
    np.testing.assert_allclose(found, (x0, eps), atol=1e-12)


def test_noise_of_a_known_mixture_is_its_score():
    """(PRED.4): −E[eps | x_t]/s against the derivative of the log-density of two points with noise."""
    points, a, s = np.array([-1.0, 1.5]), 0.6, 0.8

    def log_density(x):
        return np.log(np.exp(-0.5 * ((x - a * points[:, None]) / s) ** 2).sum(axis=0))

    x = np.linspace(-3, 3, 41)
    weights = np.exp(-0.5 * ((x - a * points[:, None]) / s) ** 2)
    weights /= weights.sum(axis=0)
    mean_eps = (weights * (x - a * points[:, None]) / s).sum(axis=0)
    numeric = (log_density(x + 1e-6) - log_density(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(-mean_eps / s, numeric, atol=1e-7)


@pytest.mark.parametrize("given", [{"steps": 0}, {"steps": 2.5}, {"kind": "quadratic"}])
def test_schedule_refuses_wrong_settings(given):
    with pytest.raises((TypeError, ValueError), match="^NoiseSchedule expected "):
        NoiseSchedule(**given)
