"""Experiments with dependencies between pixels and with completions, against direct computations."""

import numpy as np
import pytest

from scratchgen.layers import Linear
from scratchgen.models import MADE, NICE, VAE
from scratchgen.studies.experiments import completions, orderings, pixel_dependencies

EVERY = ((np.arange(1024)[:, None] >> np.arange(10)) & 1).astype(np.float32)    # all 2¹⁰ vectors


def test_slopes_are_the_weights_of_a_linear_layer(rng):
    net = Linear(4, 4, rng=rng, dtype=np.float64)
    found = pixel_dependencies.slopes(net, rng.standard_normal((3, 4)), (4,))
    np.testing.assert_allclose(found, np.abs(net.weight.value.T))
    assert (net.weight.grad == 0).all()


def test_shares_count_earlier_and_other_pixels():
    matrix = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    assert pixel_dependencies.shares(matrix) == {"earlier pixels seen": 2 / 3, "other pixels seen": 1}


def test_halved_digits_are_means_of_two_by_two_pixels():
    x = np.zeros((1, 28, 28))
    x[0, 4:6, 4:6] = [[1, 0], [0.5, 0.5]]
    x[0, 0, 0] = 1
    half = pixel_dependencies.halved(x.reshape(1, -1))
    assert half.shape == (1, 100) and half[0, 0] == 0.5 and half.sum() == 0.5


def test_log_density_gradient_is_that_of_score_samples(rng):
    """d log p(x) / dx by hand against central differences."""
    nice = NICE.dense(6, (7,), 2, rng=rng, dtype=np.float64)
    for p in nice.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    x = rng.standard_normal((4, 6))
    found = completions.log_density_gradient(nice, x)
    for n, d in np.ndindex(x.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = x.copy()
            moved[n, d] += step
            ends.append(nice.score_samples(moved)[n])
        assert found[n, d] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-7)


def test_weighted_codes_are_the_conditional(rng):
    """p(lower | upper) = p(x) / p(upper), both as averages over the same codes."""
    vae, upper = VAE.dense((784, 5, 2), rng=rng, dtype=np.float64), completions.UPPER
    x = (rng.random((3, 784)) < 0.5).astype(np.float64)
    _, nats, effective = completions.weighted_codes(vae, x, 50, np.random.default_rng(3))
    logits = vae.decode(vae.prior_sample(50, rng=np.random.default_rng(3)))
    p = 1 / (1 + np.exp(-logits))
    log_p = np.log(np.where(x[:, None] == 1, p, 1 - p))                     # (3, 50, 784)
    whole, above = (np.logaddexp.reduce(part.sum(axis=2), axis=1) for part in (log_p, log_p[:, :, upper]))
    np.testing.assert_allclose(nats, whole - above, rtol=1e-9)
    assert ((effective >= 1) & (effective <= 50)).all()


def test_nearest_lower_half_is_of_the_digit_with_the_same_upper_half(rng):
    train = (rng.random((20, 784)) < 0.5).astype(np.float64)
    test = np.where(completions.UPPER, train[[7, 3]], 0)
    np.testing.assert_array_equal(completions.nearest_lower_halves(train, test), train[[7, 3]])


def test_average_of_orderings_is_the_models_own(rng):
    model, x = MADE(10, (8,), orderings=3, rng=rng), EVERY
    averaged = orderings.averaged(orderings.each_ordering(model, x))
    np.testing.assert_allclose(averaged, model.score_samples(x), rtol=1e-5)


def test_dependencies_of_a_made_are_those_of_its_order(rng):
    model = MADE(5, (20, 20), order="random", rng=rng)
    places = model.orders[0]
    np.testing.assert_array_equal(orderings.dependencies(model, rng), places[None] < places[:, None])
