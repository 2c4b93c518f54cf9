"""Likelihoods and the data they describe, and the search for a latent code."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scratchgen.layers import Linear, Sequential, Sigmoid, Tanh
from scratchgen.models import GAN
from scratchgen.studies.compare.inversion import distance_and_gradient, invert
from scratchgen.studies.compare.likelihood import Likelihood, expect_comparable
from scratchgen.studies.spaces import BINARY, DEQUANTISED, GREY, SPACES, Space
from scratchgen.training.schedules import Cosine


def likelihood(nats=-90.0, kind="exact", space=BINARY):
    return Likelihood(nats, 0.5, kind, space)


THRESHOLDED = replace(BINARY, made="1 where the grey value is above 1/2")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (likelihood(space=DEQUANTISED), "probabilities of binary pixels against densities"),
        (likelihood(space=GREY, kind="Parzen"), "probabilities of binary pixels against densities"),
        (likelihood(space=THRESHOLDED), r"different test data \(each sampled once, .*; 1 where the grey"),
        (likelihood(space=replace(BINARY, features=64)), "examples of 784 pixels and of 64"),
        (likelihood(kind="Parzen"), "a Parzen window describes kernels centred on samples"),
    ],
)
def test_likelihoods_that_cannot_be_compared_are_refused_both_ways(other, reason):
    for a, b in ((likelihood(), other), (other, likelihood())):
        with pytest.raises(ValueError, match=reason if a.space is BINARY and a.kind == "exact" else None):
            a - b
        with pytest.raises(ValueError, match="cannot compare"):
            bool(a < b)
        with pytest.raises(ValueError, match="cannot compare"):
            max(a, b)
        with pytest.raises(ValueError, match="cannot compare"):
            expect_comparable(likelihood(-80), a, b)


def test_two_densities_of_pixels_made_in_different_ways_are_refused():
    with pytest.raises(ValueError, match=r"different test data \(uniform noise .*; 256 levels"):
        likelihood(space=DEQUANTISED) - likelihood(space=GREY)


@pytest.mark.parametrize("kind", ["importance-sampled", "lower bound"])
def test_kinds_of_one_space_are_compared(kind):
    a, b = likelihood(-90.0), likelihood(-92.5, kind)
    assert a - b == 2.5 and b - a == -2.5
    assert b < a and a > b and sorted([a, b]) == [b, a]
    expect_comparable(a, b, a)


def test_likelihood_is_the_mean_with_its_standard_error():
    found = Likelihood.of(np.array([-1.0, -3.0, -5.0]), "exact", BINARY)
    assert found.nats == -3 and found.error == pytest.approx(2 / math.sqrt(3))
    assert str(found) == "-3.00 ± 1.15 nats, exact, binary pixels"


def test_bits_per_dimension_by_hand_and_none_without_a_unit():
    fair = -784 * math.log(2)      # pixels with a probability of 1/2: one bit each
    assert likelihood(fair).bits == pytest.approx(1)
    assert likelihood(0.0, space=DEQUANTISED).bits == pytest.approx(8)  # uniform over 256 levels
    assert likelihood(784 * math.log(2), space=DEQUANTISED).bits == pytest.approx(7)
    assert likelihood(500.0, "Parzen", GREY).bits is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": "guessed"}, "one of the kinds exact, .*, Parzen, got 'guessed'"),
        ({"nats": math.nan}, "finite nats and error, got nan"),
        ({"error": -1.0}, "finite nats and error"),
    ],
)
def test_likelihood_refuses_bad_values(change, expected):
    with pytest.raises(ValueError, match=f"Likelihood expected {expected}"):
        replace(likelihood(), **change)
    with pytest.raises(ValueError, match="two or more examples"):
        Likelihood.of(np.zeros(1), "exact", BINARY)


@pytest.mark.parametrize("wrong", [{"features": 0}, {"levels": 256}])
def test_space_refuses_bad_values(wrong):
    with pytest.raises(ValueError, match="Space expected"):
        Space("a", "b", **{"discrete": True} | wrong)


def test_space_prepares_digits_in_the_same_way_each_time(rng):
    x = rng.random((200, 6)).astype(np.float32)
    for space in SPACES:
        np.testing.assert_array_equal(space.prepare(x), space.prepare(x))
    binary, noisy = BINARY.prepare(x), DEQUANTISED.prepare(x)
    assert set(np.unique(binary)) == {0, 1} and abs(binary.mean() - x.mean()) < 0.05
    assert np.abs(noisy - x).max() <= 1 / 256 + 1e-6 and not np.array_equal(noisy, x)
    np.testing.assert_array_equal(GREY.prepare(x), x)


def generator(rng, code=3, features=7):
    return Sequential(
        Linear(code, 5, rng=rng, dtype=np.float64), Tanh(), Linear(5, features, rng=rng, dtype=np.float64),
        Sigmoid(),
    )


def test_gradient_of_a_code_is_that_of_its_distance(rng):
    """(INV.1) by a loop, (INV.2) against central differences; the gradients of the weights stay zero."""
    net = generator(rng)
    z, x = rng.normal(size=(4, 3)), rng.random((4, 7))
    distance, dz = distance_and_gradient(net, z, x)
    out, _ = net.forward(z)
    np.testing.assert_allclose(distance, [sum((out[n] - x[n]) ** 2) for n in range(4)], rtol=1e-12)
    numeric = np.zeros_like(z)
    for n, k in np.ndindex(*z.shape):
        step = np.zeros_like(z)
        step[n, k] = 1e-6
        up, down = (distance_and_gradient(net, z + sign * step, x)[0][n] for sign in (1, -1))
        numeric[n, k] = (up - down) / 2e-6
    np.testing.assert_allclose(dz, numeric, rtol=1e-6, atol=1e-9)
    assert not any(p.grad.any() for p in net.parameters().values())


def test_invert_finds_the_least_squares_code_of_a_linear_generator(rng):
    net = Sequential(Linear(3, 7, rng=rng, dtype=np.float64))
    model = GAN(net, Sequential(Linear(7, 1, rng=rng, dtype=np.float64)), code=3, output_range=None)
    x = rng.normal(size=(5, 7))
    weight, bias = (p.value for p in net.parameters().values())
    expected = np.linalg.lstsq(weight.T, (x - bias).T, rcond=None)[0].T
    np.testing.assert_allclose(invert(model, x, rng=rng, steps=400), expected, atol=2e-3)


def test_invert_comes_nearer_than_its_start_and_keeps_the_model(rng):
    net = generator(rng)
    model = GAN(net, Sequential(Linear(7, 1, rng=rng, dtype=np.float64)), code=3)
    x = rng.random((6, 7))
    before = {name: p.value.copy() for name, p in net.parameters().items()}
    start = invert(model, x, rng=np.random.default_rng(1), steps=1, lr=0.0)
    found = invert(model, x, rng=np.random.default_rng(1))
    near, far = (distance_and_gradient(net, z, x)[0] for z in (found, start))
    assert (near < far).all()
    nearest = model.inverse_transform(model.prior_sample(500, rng=np.random.default_rng(1)))
    np.testing.assert_allclose(far, ((nearest[None] - x[:, None]) ** 2).sum(axis=2).min(axis=1), rtol=1e-9)
    for name, p in net.parameters().items():
        np.testing.assert_array_equal(p.value, before[name])
    assert Cosine(0.1, 200)(200) == 0


def test_invert_refuses_what_does_not_fit(rng):
    model = GAN(generator(rng), Sequential(Linear(7, 1, rng=rng, dtype=np.float64)), code=3)
    with pytest.raises(ValueError, match="examples of 7 pixels"):
        invert(model, rng.random((2, 8)), rng=rng)
    with pytest.raises(ValueError, match="steps and starts of at least 1, got 0 and 500"):
        invert(model, rng.random((2, 7)), rng=rng, steps=0)
