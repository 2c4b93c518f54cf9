"""Diffusion: the bound and the samplers against closed forms, guidance, and a network that learns."""

import math

import numpy as np
import pytest
from models.diffusion.linear_networks import BestX0

from scratchgen.models import Diffusion
from scratchgen.models.diffusion.diffusion import grey_level_log_prob
from scratchgen.models.diffusion.schedule import NoiseSchedule


class Signs:
    """A generator whose noise is +1 for the first half of the rows and −1 for the others."""

    def standard_normal(self, shape):
        half = shape[0] // 2
        return np.concatenate([np.ones((half, *shape[1:])), -np.ones((shape[0] - half, *shape[1:]))])


def best(mean, std, steps=50, **settings):
    noise = NoiseSchedule(steps, "cosine")
    net = BestX0(mean, std, noise)
    return Diffusion(net, len(net.mean), steps=steps, predicts="x0", clip=False, **settings)


def test_bound_of_standard_normal_data_is_exact(rng):
    """(DIFF.4, DIFF.5, DIFF.6, DIFF.7): with the large variance and the best network, the bound is −log p(x).

    The bound is quadratic in the noise, so the mean over noises of +1 and −1 is its expectation.
    """
    x = rng.standard_normal((20, 1))
    model = best([0.0], [1.0], variance="large")
    bound = model._bound_of(np.concatenate([x, x]), None, Signs())
    total = bound.total.reshape(2, -1).mean(axis=0)
    # (DIFF.7) has the variance β_1 around x̂_0 = a_1·x_1, as the true p(x_0 | x_1) has
    exact = 0.5 * x[:, 0] ** 2 + 0.5 * math.log(2 * math.pi)
    np.testing.assert_allclose(total, exact, atol=1e-6)


@pytest.mark.parametrize("std", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("variance", ["small", "large"])
def test_bound_is_not_below_the_true_value_and_the_large_variance_nears_it(std, variance, rng):
    x = std * rng.standard_normal((200, 1))
    exact = (0.5 * (x[:, 0] / std) ** 2 + 0.5 * math.log(2 * math.pi * std**2)).mean()
    gaps = []
    for steps in (20, 200):
        model = best([0.0], [std], steps=steps, variance=variance)
        bound = model._bound_of(np.concatenate([x, x]), None, Signs())
        gaps.append(bound.total.mean() - exact)
    assert min(gaps) > -1e-6
    assert variance == "small" or gaps[1] < max(0.5 * gaps[0], 1e-6)


def test_kl_terms_are_those_of_two_normals():
    """(DIFF.6) against the closed form of the KL between Normals with the means of (SCHED.5)."""
    x = np.array([[0.4], [0.4]])
    for variance in ("small", "large"):
        model = best([0.2], [0.7], steps=10, variance=variance)
        bound = model._bound_of(x, None, Signs())
        for t in range(2, 11):
            of_x0, of_xt, small = model.noise.posterior(t)
            sigma2 = small if variance == "small" else model.noise.beta[t]
            for row, eps in enumerate((1.0, -1.0)):
                xt = np.array([[model.noise.a[t] * 0.4 + model.noise.s[t] * eps]])
                guess = model.denoise(xt, t)[0][0, 0]
                means = of_x0 * 0.4 + of_xt * xt[0, 0], of_x0 * guess + of_xt * xt[0, 0]
                ratio = small / sigma2
                kl = 0.5 * (ratio - 1 - math.log(ratio) + (means[0] - means[1]) ** 2 / sigma2)
                assert math.isclose(bound.steps[row, t - 2], kl, rel_tol=1e-9, abs_tol=1e-12)
    last = model.noise.alpha_bar[-1]
    assert math.isclose(bound.prior[0], 0.5 * (last * 0.16 - last - math.log(1 - last)), rel_tol=1e-6)


@pytest.mark.parametrize("sampler", [{}, {"steps": 50, "eta": 0.0}, {"eta": 0.5}])
def test_samples_of_the_best_network_have_the_right_moments(sampler):
    """(DIFF.8), (DIFF.9): ancestral sampling, DDIM, and fewer steps."""
    model = best([1.0, -2.0], [0.5, 1.5], steps=100)
    samples = model.sample(20_000, rng=0, **sampler)
    np.testing.assert_allclose(samples.mean(axis=0), [1.0, -2.0], atol=0.05)
    np.testing.assert_allclose(samples.std(axis=0), [0.5, 1.5], rtol=0.1)


def test_large_variance_is_right_for_standard_normal_data_with_few_steps():
    """Before the last step, which adds no noise, the samples are N(0, 1); it multiplies them by a_1."""
    model = best([0.0], [1.0], steps=5, variance="large")
    assert abs(model.sample(50_000, rng=0).std() - model.noise.a[1]) < 0.01
    assert best([0.0], [1.0], steps=5).sample(50_000, rng=0).std() < model.noise.a[1] - 0.03


def test_ancestral_step_has_mean_and_variance_of_the_posterior(rng):
    """(DIFF.8) with η = 1 and u = t − 1 is (DIFF.4): one step from a fixed x_t."""
    model = best([0.3], [0.8], steps=10)
    xt = np.full((200_000, 1), 0.6)
    x0, eps = model.denoise(xt, 4)
    found = model._ddim((x0, eps), 4, 3, 1.0, rng)
    of_x0, of_xt, b = model.noise.posterior(4)
    assert abs(found.mean() - (of_x0 * x0[0, 0] + of_xt * 0.6)) < 0.01
    assert abs(found.std() - math.sqrt(b)) < 0.01


def test_ddim_is_deterministic_and_its_inverse_improves_with_steps(rng):
    x = np.array([1.0, -2.0]) + np.array([0.5, 1.5]) * rng.standard_normal((50, 2))
    errors = []
    for steps in (50, 200, 800):
        model = best([1.0, -2.0], [0.5, 1.5], steps=steps)
        np.testing.assert_array_equal(model.sample(5, rng=3, eta=0.0), model.sample(5, rng=3, eta=0.0))
        z = model.transform(x)
        np.testing.assert_array_equal(z, model.transform(x))
        errors.append(np.abs(model.inverse_transform(z) - x).max())
    assert errors[2] < errors[1] / 2 < errors[0] / 4


@pytest.mark.parametrize("mean", [-1.3, 0.0, 0.5019, 1.0, 9.0])
@pytest.mark.parametrize("std", [1e-3, 0.1, 3.0])
def test_probabilities_of_grey_levels_sum_to_1(mean, std):
    """(DIFF.10)."""
    levels = np.linspace(-1, 1, 256)
    log_p = grey_level_log_prob(levels, np.full(256, mean), std, 256)
    assert np.isfinite(log_p).all()
    assert math.isclose(np.exp(log_p).sum(), 1, rel_tol=1e-9)


def test_bound_of_grey_levels_is_one_on_probabilities(rng):
    """A network that knows the image: all KL terms are 0, and (DIFF.7) is left."""
    image = np.rint(rng.random((1, 4)) * 255) / 255
    net = BestX0(2 * image[0] - 1, np.full(4, 1e-6), NoiseSchedule(100))
    model = Diffusion(net, 4, steps=100, predicts="x0", levels=256)
    bound = model.bound(image)
    assert bound.prior[0] < 1e-6 and bound.steps.sum() < 1e-4
    assert 0 < bound.data[0] < 4 * math.log(256)
    x0 = 2 * image - 1
    expected = -grey_level_log_prob(x0, x0, math.sqrt(model.noise.beta[1]), 256).sum()
    assert math.isclose(bound.data[0], expected, rel_tol=1e-4)
    assert model.bound(1 - image).total[0] > 100


def test_bits_per_dim_of_standard_normal_data_are_exact(rng, monkeypatch):
    """(DIFF.11) in three dimensions: the mean over noises of +1 and −1 is −log₂ p(x)/3."""
    x = rng.standard_normal((10, 3))
    model = best([0.0] * 3, [1.0] * 3, variance="large")
    monkeypatch.setattr("scratchgen.models.diffusion.diffusion.as_generator", lambda who, rng: Signs())
    bits = model.bits_per_dim(np.concatenate([x, x])).total.reshape(2, -1).mean(axis=0)
    np.testing.assert_allclose(bits, (0.5 * x**2 / math.log(2) + 0.5 * math.log2(2 * math.pi)).mean(axis=1))


@pytest.mark.parametrize("levels", [3, 256])
def test_bits_per_dim_of_a_known_image_are_those_of_its_last_step(levels):
    """(DIFF.10, DIFF.11): an inner level has probability erf(h/(√2·std)), and no offset is added."""
    image = np.array([[0.5, 0.5, 0.5, 0.5]]) if levels == 3 else np.array([[7, 100, 128, 200]]) / 255
    model = Diffusion(
        BestX0(2 * image[0] - 1, np.full(4, 1e-6), NoiseSchedule(100)), 4,
        steps=100, predicts="x0", levels=levels,
    )  # fmt: skip
    bits = model.bits_per_dim(image)
    expected = -math.log2(math.erf(1 / ((levels - 1) * math.sqrt(2 * model.noise.beta[1]))))
    assert math.isclose(bits.data[0], expected, rel_tol=1e-4, abs_tol=1e-12)
    assert math.isclose(bits.total[0], expected, rel_tol=1e-3, abs_tol=1e-3)


def test_bits_per_dim_are_the_terms_of_the_bound_in_other_units(rng):
    model = best([0.2, 0.1], [0.7, 0.5], steps=10)
    x = rng.standard_normal((5, 2))
    for bits, nats in zip(model.bits_per_dim(x, rng=3), model.bound(x, rng=3), strict=True):
        np.testing.assert_allclose(bits * 2 * math.log(2), nats)
    with pytest.raises(ValueError, match=r"^Diffusion\.bits_per_dim expected"):
        model.bits_per_dim(np.zeros((5, 3)))


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
def test_loss_is_the_squared_error_of_the_target(target, rng):
    """(DIFF.1, DIFF.2, DIFF.3), written out for each example."""
    model = Diffusion.dense(3, 4, 1, steps=10, predicts=target, rng=0, dtype=np.float64)
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    x0, eps, t = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), np.array([1, 4, 7, 10])
    loss, cache = model.loss(x0, eps, t)
    total = 0.0
    for n in range(4):
        a, s = model.noise.a[t[n]], model.noise.s[t[n]]
        f, _ = model.net.forward((a * x0[n] + s * eps[n])[None], t[n : n + 1] / 10)
        error = f[0] - {"eps": eps[n], "x0": x0[n], "v": a * eps[n] - s * x0[n]}[target]
        total += (error**2).sum() / 12
        np.testing.assert_allclose(cache.df[n], 2 * error / 12, rtol=1e-12)
    assert math.isclose(loss, total, rel_tol=1e-12)


def test_every_target_trains_and_implies_the_same_data(rng):
    X = (rng.standard_normal((2000, 2)) * [0.5, 2] + [1, -1]).astype(np.float32)
    for target in ("eps", "x0", "v"):
        model = Diffusion.dense(2, 32, 1, steps=50, predicts=target, rng=0)
        model.fit(X, epochs=25, lr=lambda done: 5e-3 * (1 - done), rng=0)
        samples = model.sample(2000, rng=1)
        np.testing.assert_allclose(samples.mean(axis=0), X.mean(axis=0), atol=0.25)
        np.testing.assert_allclose(samples.std(axis=0), X.std(axis=0), rtol=0.25)


def test_score_is_minus_the_noise_divided_by_its_spread(rng):
    """(PRED.4) for Normal data: the score of N(a·mean, a²·std² + s²)."""
    model = best([0.5], [0.7], steps=20)
    x = rng.standard_normal((9, 1))
    for t in (1, 7, 20):
        a, s = model.noise.a[t], model.noise.s[t]
        np.testing.assert_allclose(model.score(x, t), -(x - a * 0.5) / (a**2 * 0.49 + s**2), rtol=1e-6)


def test_wrong_input_is_refused():
    model = Diffusion.dense(3, 8, 1, steps=10, rng=0)
    with pytest.raises(ValueError, match=r"^Diffusion\.sample expected steps of at most 10, got 11"):
        model.sample(2, rng=0, steps=11)
    with pytest.raises(ValueError, match=r"^Diffusion\.sample expected steps of at least 1, got 0"):
        model.sample(2, rng=0, steps=0)
    with pytest.raises(ValueError, match=r"^Diffusion\.sample expected a finite eta >= 0 and <= 1"):
        model.sample(2, rng=0, eta=1.5)
    with pytest.raises(ValueError, match=r"^Diffusion\.sample expected labels y of a model with classes"):
        model.sample(2, rng=0, guidance=2.0)
    for wrong in (
        {"predicts": "noise"}, {"schedule": "constant"}, {"steps": 1}, {"variance": "learned"},
        {"label_dropout": 1.5},
    ):
        with pytest.raises(ValueError, match="expected"):
            Diffusion.dense(3, 8, 1, rng=0, **wrong)
    pixels = Diffusion.convolutional((8, 8), shape=(4, 4, 1), rng=0)
    with pytest.raises(ValueError, match=r"^Diffusion\.fit expected .*\[0, 1\]"):
        pixels.fit(np.full((4, 16), 2, np.float32), epochs=1, rng=0)


def test_the_scale_of_data_with_a_mean_of_zero_is_kept(rng):
    x = np.array([[-1, -2], [1, 2]], np.float32)
    model = Diffusion.dense(2, 8, 1, rng=0).fit(x, epochs=1, rng=0)
    model.fit(50 * x, epochs=1, rng=0, warm_start=True)
    np.testing.assert_array_equal(model.scale, [1, 2])


def test_noise_and_steps_that_do_not_fit_are_refused(rng):
    model, x = Diffusion.dense(2, 8, 1, steps=10, rng=0), rng.standard_normal((4, 2), np.float32)
    for t in (0, -1, 11):
        with pytest.raises(ValueError, match=rf"^Diffusion\.loss expected steps t in 1\.\.10, got {t}"):
            model.loss(x, x, np.full(4, t))
        with pytest.raises(ValueError, match=r"^NoiseSchedule\.posterior expected steps t in 1\.\.10"):
            model.noise.posterior(t)
    with pytest.raises(TypeError, match=r"^Diffusion\.loss expected integer steps t, got dtype float64"):
        model.loss(x, x, np.full(4, 0.5))
    with pytest.raises(ValueError, match=r"^Diffusion\.loss expected eps of shape \(4, 2\)"):
        model.loss(x, x[:1], np.full(4, 5))


def test_the_bound_refuses_values_between_the_grey_levels(rng):
    model = Diffusion.dense(4, 8, 1, steps=3, levels=256, rng=0)
    x = (rng.integers(0, 256, (3, 4)) / 255).astype(np.float32)
    assert np.isfinite(model.score_samples(x)).all()
    with pytest.raises(ValueError, match=r"^Diffusion\.score_samples expected 256 grey levels, k/255"):
        model.score_samples(x * np.float32(0.999))


def test_a_net_for_other_data_is_refused():
    with pytest.raises(ValueError, match=r"^Diffusion expected features of 2, as the net has, got 3"):
        Diffusion(Diffusion.dense(2, 8, 1, rng=0).net, 3)
    with pytest.raises(ValueError, match=r"^Diffusion expected features of 64, as the net has, got 3"):
        Diffusion(Diffusion.convolutional((8, 8), shape=(8, 8, 1), rng=0).net, 3)


def test_one_example_and_samples_that_are_not_finite_are_refused(rng):
    model = Diffusion.dense(2, 8, 1, steps=3, clip=False, rng=0)
    with pytest.raises(ValueError, match=r"^Diffusion\.fit expected at least 2 examples, got 1"):
        model.fit(rng.standard_normal((1, 2), np.float32), epochs=1, rng=0)
    for weights in model.parameters().values():
        weights.value[...] = 1e30
    for method in (lambda: model.sample(2, rng=0), lambda: model.langevin(2, rng=0)):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match="expected finite samples, got NaN"):
            method()
