"""Flow matching: closed forms for Normal data, solvers, divergence, guidance, and a network that learns."""

from itertools import product

import numpy as np
import pytest
from models.diffusion.linear_networks import BestVelocity

from scratchgen.data import two_moons
from scratchgen.layers import ResidualNet
from scratchgen.models import FlowMatching
from scratchgen.models.diffusion.ode import EVALUATIONS, SOLVERS, divergence, integrate

MEAN, STD = np.array([1.0, -2.0, 0.5]), np.array([0.5, 1.0, 2.0])


def best():
    return FlowMatching(BestVelocity(MEAN, STD), 3)


def log_density(x):
    return (-0.5 * ((x - MEAN) / STD) ** 2 - np.log(STD) - 0.5 * np.log(2 * np.pi)).sum(axis=1)


def moved(model, rng, scale=0.3):
    for p in model.parameters().values():
        p.value += (scale * rng.standard_normal(p.shape)).astype(p.dtype)
    return model


def test_likelihood_of_the_best_network_is_the_exact_density(rng):
    """(FM.5), (FM.7), (DIV.1), (ODE.3): log p(x) of Normal data to 1e-6."""
    x = MEAN + STD * rng.standard_normal((20, 3)) * 1.5
    found = best().log_likelihood(x, steps=64)
    np.testing.assert_allclose(found.log_prob, log_density(x), atol=1e-6)
    assert (np.abs(found.log_prob - log_density(x)) <= found.error + 1e-9).all()


def test_paths_of_the_best_network_carry_noise_to_the_data(rng):
    """(FM.6): for independent Normal features the map is x_1 = mean + std·x_0."""
    z = rng.standard_normal((50, 3))
    found = best().inverse_transform(z, steps=64, method="rk4")
    np.testing.assert_allclose(found, MEAN + STD * z, atol=1e-6)
    np.testing.assert_allclose(best().transform(found, steps=64, method="rk4"), z, atol=1e-6)


@pytest.mark.parametrize("method, order", [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_solver_has_its_order_and_its_number_of_evaluations(method, order):
    """(ODE.1, ODE.2, ODE.3): halving the step divides the error by 2 to the power of the order."""
    calls = []

    def slope(state, t):
        calls.append(t)
        return (-2 * t * state[0] ** 2,)

    exact = 0.5             # of x(1), for x(t) = 1/(1 + t²)
    errors = []
    for steps in (20, 40):
        calls.clear()
        (x,) = integrate(slope, (np.ones(1),), 0.0, 1.0, steps=steps, method=method)
        errors.append(abs(x[0] - exact))
        assert len(calls) == EVALUATIONS[method] * steps
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.25
    (back,) = integrate(slope, (x,), 1.0, 0.0, steps=200, method=method)
    assert abs(back[0] - 1) < 0.05


def test_divergence_is_the_trace_of_the_jacobian_and_the_mean_over_all_signs(rng):
    """(DIV.1) against differences, and (DIV.2): the mean over all sign vectors is exactly the trace."""
    net = moved(ResidualNet(3, 5, 1, embedding=4, rng=0, dtype=np.float64), rng)
    x, t = rng.standard_normal((4, 3)), np.full(4, 0.4)
    f, exact = divergence(net, x, t, None, None)
    numeric = np.zeros(4)
    for d in range(3):
        step = np.zeros(3)
        step[d] = 1e-6
        numeric += ((net.forward(x + step, t)[0] - net.forward(x - step, t)[0]) / 2e-6)[:, d]
    np.testing.assert_allclose(exact, numeric, atol=1e-7)
    np.testing.assert_array_equal(f, net.forward(x, t)[0])
    signs = [np.broadcast_to(np.array(s, float), x.shape).copy() for s in product((-1, 1), repeat=3)]
    estimates = [divergence(net, x, t, None, v)[1] for v in signs]
    np.testing.assert_allclose(np.mean(estimates, axis=0), exact, rtol=1e-10)
    assert np.std(estimates, axis=0).max() > 1e-3
    assert all(not p.grad.any() for p in net.parameters().values())


def test_likelihood_refuses_too_few_steps(rng):
    model = FlowMatching(BestVelocity(np.zeros(3), np.full(3, 0.02)), 3)
    with pytest.raises(ValueError, match=r"^FlowMatching\.score_samples expected enough steps"):
        model.score_samples(0.02 * rng.standard_normal((5, 3)), steps=2, method="euler")


def test_loss_of_the_best_network_is_the_variance_of_the_velocity(rng):
    """(FM.1, FM.2, FM.3, FM.4, FM.5): the best network's loss is not 0, but the smallest."""
    x1 = MEAN + STD * rng.standard_normal((200_000, 3))
    x0 = rng.standard_normal(x1.shape)
    t = np.full(len(x1), 0.3)
    variance = 0.7**2 + 0.3**2 * STD**2
    rest = STD**2 + 1 - (0.3 * STD**2 - 0.7) ** 2 / variance
    model = best()
    loss, cache = model.loss(x1, x0, t)
    assert abs(loss - rest.mean()) < 0.02
    np.testing.assert_allclose(cache.dv.sum(axis=0), 0, atol=5e-3)     # (FM.4): the gradient is 0 on average


def test_guidance_of_strength_0_changes_nothing_and_minus_1_ignores_the_class(rng):
    """(GUIDE.1)."""
    model = moved(FlowMatching.dense(3, 8, 1, classes=4, rng=0, dtype=np.float64), rng)
    x, y = rng.standard_normal((5, 3)), np.array([0, 1, 2, 3, 0])
    conditional = model.velocity(x, 0.4, y)
    np.testing.assert_array_equal(model.velocity(x, 0.4, y, guidance=0.0), conditional)
    free = model.velocity(x, 0.4)
    np.testing.assert_allclose(model.velocity(x, 0.4, y, guidance=-1.0), free, atol=1e-12)
    np.testing.assert_allclose(model.velocity(x, 0.4, y, guidance=1.0), 2 * conditional - free, atol=1e-12)


def test_labels_are_dropped_at_the_stated_rate():
    model = FlowMatching.dense(3, 8, 1, classes=4, label_dropout=0.25, rng=0)
    rng = np.random.default_rng(0)
    x, y = np.zeros((20_000, 3), np.float32), np.full(20_000, 2)
    _, _, _, labels = model.prepare((x, y), rng)
    assert set(labels) == {2, 4}
    assert abs((labels == 4).mean() - 0.25) < 0.01


@pytest.mark.parametrize("times, middle", [("uniform", 0.5), ("logit-normal", 0.728)])
def test_times_have_the_stated_distribution(times, middle):
    model = FlowMatching.dense(2, 4, 1, times=times, rng=0)
    _, _, t, _ = model.prepare((np.zeros((50_000, 2), np.float32),), np.random.default_rng(0))
    assert ((t > 0) & (t < 1)).all() and abs(((t > 0.25) & (t < 0.75)).mean() - middle) < 0.01


@pytest.mark.slow
def test_network_trained_on_one_image_reproduces_it():
    image = np.random.default_rng(3).random((1, 64)).astype(np.float32)
    model = FlowMatching.convolutional((16, 32), shape=(8, 8, 1), embedding=32, rng=0)
    X = np.repeat(image, 640, axis=0)
    model.fit(X, epochs=100, batch_size=64, lr=lambda done: 4e-3 * (1 - done), rng=0)
    error = np.abs(model.sample(20, rng=1) - image)
    assert error.max() < 0.15 and error.mean() < 0.02


@pytest.mark.slow
def test_network_learns_two_moons_and_its_likelihood_is_near_the_true_one():
    data = two_moons()
    X = data.sample(4000, rng=np.random.default_rng(0)).astype(np.float32)
    model = FlowMatching.dense(2, 64, 2, rng=0)
    model.fit(X, epochs=60, lr=lambda done: 3e-3 * (1 - done), rng=0)
    test = data.sample(300, rng=np.random.default_rng(1)).astype(np.float32)
    gap = data.log_density(test).mean() - model.score_samples(test).mean()
    assert -0.05 < gap < 0.25
    samples = model.sample(1000, rng=2)
    assert data.log_density(samples).mean() > data.log_density(test).mean() - 0.8


def test_wrong_input_is_refused(rng):
    model = FlowMatching.dense(3, 8, 1, classes=2, rng=0)
    plain = FlowMatching.dense(3, 8, 1, rng=0)
    with pytest.raises(ValueError, match=r"^FlowMatching\.sample expected labels y of a model with classes"):
        plain.sample(2, rng=0, guidance=1.0)
    with pytest.raises(ValueError, match=r"^FlowMatching\.sample expected no labels y"):
        plain.sample(2, rng=0, y=np.zeros(2, int))
    with pytest.raises(ValueError, match=r"^FlowMatching\.sample expected labels in 0..1"):
        model.sample(2, rng=0, y=np.array([0, 2]))
    with pytest.raises(ValueError, match=r"^FlowMatching\.sample expected method to be one of euler"):
        plain.sample(2, rng=0, method="leapfrog")
    with pytest.raises(ValueError, match=r"^FlowMatching\.sample expected steps of at least 1"):
        plain.sample(2, rng=0, steps=0)
    with pytest.raises(ValueError, match=r"^FlowMatching\.fit expected labels y"):
        model.fit(np.zeros((8, 3), np.float32), epochs=1, rng=0)
    with pytest.raises(ValueError, match="constant"):
        plain.fit(np.ones((8, 3), np.float32), epochs=1, rng=0)
    with pytest.raises(ValueError, match="expected times to be one of"):
        FlowMatching.dense(3, 8, 1, times="cosine", rng=0)
    with pytest.raises(TypeError, match="expected net to be a TimeNetwork"):
        FlowMatching("unet", 3)
    assert set(SOLVERS) == set(EVALUATIONS)


def test_one_step_has_no_half(rng):
    """With one step, half as many would be one step too, and the error would always be 0."""
    model = FlowMatching(BestVelocity(np.zeros(3), np.full(3, 0.02)), 3)
    for method in ("log_likelihood", "score_samples"):
        with pytest.raises(ValueError, match=rf"^FlowMatching\.{method} expected steps of at least 2, got 1"):
            getattr(model, method)(rng.standard_normal((2, 3)), steps=1)


def test_pixels_noise_and_times_that_do_not_fit_are_refused(rng):
    model, x = FlowMatching.dense(4, 8, 1, levels=256, rng=0), rng.random((3, 4), np.float32)
    with pytest.raises(ValueError, match=r"^FlowMatching\.score_samples expected values within \[0, 1\]"):
        model.score_samples(255 * x)
    with pytest.raises(ValueError, match=r"^FlowMatching\.loss expected x0 of shape \(3, 4\)"):
        model.loss(x, x[:1], np.full(3, 0.5, np.float32))
    with pytest.raises(ValueError, match=r"^FlowMatching\.loss expected times t in \[0, 1\], got 2 to 2"):
        model.loss(x, x, np.full(3, 2, np.float32))
