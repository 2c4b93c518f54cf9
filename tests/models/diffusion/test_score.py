"""The score: one network read three ways, against exact scores, and denoising score matching."""

import numpy as np
import pytest
from models.diffusion.mixture_networks import BestForMixture, diffusion, flow, two_clusters

from scratchgen.layers import TimeNetwork
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.models.diffusion.schedule import TARGETS, target_of
from scratchgen.models.diffusion.score import (
    flow_of_score,
    loss_weight,
    prediction_of,
    score_given_data,
    score_of,
    score_of_flow,
)

EACH = pytest.mark.parametrize("kind", TARGETS)


class Reread(TimeNetwork):
    """The network of a Diffusion that predicts v, converted to a network that predicts something else."""

    def __init__(self, model, kind):
        self.net, self.noise, self.kind = model.net, model.noise, kind

    def forward(self, x, t, y=None, training=False):
        step = np.rint(t * self.noise.steps).astype(int)
        a, s = self.noise.a[step][:, None], self.noise.s[step][:, None]
        f, cache = self.net.forward(x, t, y)
        return prediction_of(self.kind, score_of("v", f, x, a, s), x, a, s), cache


def moved(model, rng):
    """A model whose last layers no longer start at zero."""
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    return model


@EACH
def test_every_prediction_gives_the_score_of_its_noise_and_back(kind, rng):
    """(SCORE.1, SCORE.2, SCORE.3, SCORE.4): −eps/s from each target, and the target from the score."""
    x0, eps = rng.standard_normal((2, 5, 3))
    angle = rng.uniform(0.1, 1.4, (5, 1))
    a, s = np.cos(angle), np.sin(angle)
    xt, target = a * x0 + s * eps, target_of(kind, x0, eps, a, s)
    score = score_of(kind, target, xt, a, s)
    np.testing.assert_allclose(score, -eps / s, rtol=1e-10)
    np.testing.assert_allclose(prediction_of(kind, score, xt, a, s), target, rtol=1e-9, atol=1e-12)


def test_velocity_of_flow_matching_gives_the_score_of_its_noise_and_back(rng):
    """(SCORE.5, SCORE.6): here x_0 is the noise, x_t = (1 − t)·x_0 + t·x_1."""
    noise, data = rng.standard_normal((2, 5, 3))
    for t in (0.1, 0.5, 0.9):
        xt = (1 - t) * noise + t * data
        score = score_of_flow(data - noise, xt, t)
        np.testing.assert_allclose(score, -noise / (1 - t), rtol=1e-10)
        np.testing.assert_allclose(flow_of_score(score, xt, t), data - noise, rtol=1e-10)


@EACH
def test_one_network_read_three_ways_gives_the_same_samples_and_scores(kind, rng):
    v = moved(Diffusion.dense(2, 8, 1, steps=20, predicts="v", clip=False, rng=0, dtype=np.float64), rng)
    model = Diffusion(Reread(v, kind), 2, steps=20, predicts=kind, clip=False)
    x = rng.standard_normal((6, 2))
    for t in (1, 7, 20):
        np.testing.assert_allclose(model.score(x, t), v.score(x, t), rtol=1e-6)
        np.testing.assert_allclose(model.denoise(x, t), v.denoise(x, t), rtol=1e-4, atol=1e-8)
    for sampler in ({"eta": 0.0}, {"eta": 1.0}, {"eta": 0.0, "steps": 5}):
        np.testing.assert_allclose(
            model.sample(6, rng=1, **sampler), v.sample(6, rng=1, **sampler), rtol=1e-4, atol=1e-6
        )


@EACH
def test_score_of_the_best_network_is_the_exact_one_of_a_mixture(kind, rng):
    mixture = two_clusters()
    model, factors = diffusion(mixture, kind, steps=40)
    x = 2 * rng.standard_normal((30, 2))
    for t in (1, 8, 25, 39):
        exact = mixture.score(x, *factors(t / 40))
        np.testing.assert_allclose(model.score(x, t), exact, rtol=1e-6, atol=1e-9)


def test_score_of_flow_matching_is_the_exact_one_of_a_mixture(rng):
    mixture = two_clusters()
    model, factors = flow(mixture)
    x = 2 * rng.standard_normal((30, 2))
    for t in (0.0, 0.3, 0.9):
        np.testing.assert_allclose(model.score(x, t), mixture.score(x, *factors(t)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(model.score(x, 0.0), -x)


def test_exact_score_of_the_tests_is_the_derivative_of_the_log_density(rng):
    mixture, x = two_clusters(), rng.standard_normal((10, 2))
    for d, step in enumerate(1e-6 * np.eye(2)):
        for a, s in ((1.0, 0.0), (0.6, 0.8)):
            ends = mixture.log_density(x + step, a, s), mixture.log_density(x - step, a, s)
            np.testing.assert_allclose(mixture.score(x, a, s)[:, d], (ends[0] - ends[1]) / 2e-6, atol=1e-7)


@EACH
def test_simple_loss_is_denoising_score_matching_with_a_weight(kind, rng):
    """(DSM.1, DSM.2): ‖f − target‖² = w·‖score − ∇ log q(x_t | x_0)‖², for any network and each example."""
    model = moved(Diffusion.dense(3, 6, 1, steps=10, predicts=kind, rng=0, dtype=np.float64), rng)
    x0, eps = rng.standard_normal((2, 1, 3))
    for t in (1, 5, 9):
        a, s = model.noise.a[t], model.noise.s[t]
        loss, _ = model.loss(x0, eps, np.array([t]))
        xt = a * x0 + s * eps
        error = model.score(xt, t) - score_given_data(x0, xt, a, s)
        np.testing.assert_allclose(3 * loss, loss_weight(kind, a, s) * (error**2).sum(), rtol=1e-8)
        np.testing.assert_allclose(score_given_data(x0, xt, a, s), -eps / s, rtol=1e-10)


def on_a_grid():
    """x_0 and x_t on grids, the joint q(x_0, x_t) of a mixture as weights, and the exact score of x_t."""
    a, s = 0.8, 0.6
    x0, xt = np.linspace(-5, 5, 1001)[:, None], np.linspace(-5, 5, 401)[None]
    p = 0.3 * np.exp(-0.5 * ((x0 + 1.5) / 0.4) ** 2) / 0.4 + 0.7 * np.exp(-0.5 * ((x0 - 1) / 0.6) ** 2) / 0.6
    joint = p * np.exp(-0.5 * ((xt - a * x0) / s) ** 2)
    joint /= joint.sum()
    spread = np.sqrt([(0.4 * a) ** 2 + s**2, (0.6 * a) ** 2 + s**2])[:, None]
    away = xt - a * np.array([[-1.5], [1.0]])
    parts = np.array([[0.3], [0.7]]) * np.exp(-0.5 * (away / spread) ** 2) / spread
    return x0, xt, joint, -(parts * away / spread**2).sum(axis=0) / parts.sum(axis=0), a, s


def test_denoising_differs_from_explicit_score_matching_by_a_constant():
    """(DSM.3, DSM.4, DSM.5) as sums over a grid, for several scores of a known mixture."""
    x0, xt, joint, exact, a, s = on_a_grid()
    given, marginal = score_given_data(x0, xt, a, s), joint.sum(axis=0)
    constant = (joint * (given - exact) ** 2).sum()
    for score in (np.zeros(401), -xt[0], np.sin(3 * xt[0]), exact):
        explicit = (marginal * (score - exact) ** 2).sum()
        denoising = (joint * (given - score) ** 2).sum()
        np.testing.assert_allclose(denoising - explicit, constant, rtol=1e-6)


def test_least_denoising_loss_is_at_the_exact_score():
    """(PRED.4) by brute force: at each x_t, the best of many values is the nearest to the exact score."""
    x0, xt, joint, exact, a, s = on_a_grid()
    values = np.linspace(-8, 8, 3201)
    for i in range(60, 340, 20):
        given = score_given_data(x0[:, 0], xt[0, i], a, s)
        losses = [(joint[:, i] * (value - given) ** 2).sum() for value in values]
        assert abs(values[np.argmin(losses)] - exact[i]) < 0.003


def test_wrong_input_is_refused():
    model, x = FlowMatching.dense(3, 4, 1, rng=0), np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"^FlowMatching\.score expected a finite t >= 0 and < 1, got 1"):
        model.score(x, 1)
    with pytest.raises(ValueError, match=r"^FlowMatching\.score expected data of shape \(N, 3\)"):
        model.score(x[:, :2], 0.5)
    with pytest.raises(ValueError, match=r"^FlowMatching\.score expected labels y of a model with classes"):
        model.score(x, 0.5, guidance=1.0)
    with pytest.raises(ValueError, match=r"^Diffusion\.score expected t of at least 1, got 0"):
        Diffusion.dense(3, 4, 1, rng=0).score(x, 0)


def test_backward_pass_of_the_best_network_is_its_derivative(rng):
    """The networks of these tests have the Jacobians that classifier guidance needs."""
    mixture, x, dout = two_clusters(), rng.standard_normal((4, 2)), rng.standard_normal((4, 2))
    for kind in (*TARGETS, "flow"):
        net = BestForMixture(mixture, kind, lambda t: (0.6, 0.8))
        t = np.full(4, 0.4)
        dx = net.backward(dout, net.forward(x, t)[1])
        for d, step in enumerate(1e-6 * np.eye(2)):
            change = (net.forward(x + step, t)[0] - net.forward(x - step, t)[0]) / 2e-6
            np.testing.assert_allclose(dx[:, d], (dout * change).sum(axis=1), atol=1e-7)
