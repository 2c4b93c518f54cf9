"""SpectralNorm against NumPy's SVD, against the division of the weight, and its state."""

import numpy as np
import pytest

from scratchgen.gradcheck import check_layer
from scratchgen.layers import BatchNorm, Conv2d, Linear, MaskedLinear, ReLU, SpectralNorm
from scratchgen.layers import spectral as module
from scratchgen.layers.spectral import power_iteration
from scratchgen.models import GAN
from scratchgen.training import load, save


def normalised(rng, iterations=1, bias=True):
    layer = SpectralNorm(Linear(6, 4, bias, rng=rng, dtype=np.float64), iterations)
    if bias:
        layer.layer.bias.value[...] = rng.standard_normal(4)
    return layer


def test_power_iteration_finds_the_first_singular_vectors(rng):
    """(SN.1, SN.2): the limit is that of NumPy's SVD, up to a common sign."""
    weight, u = rng.standard_normal((6, 4)), rng.standard_normal(6)
    left, values, right = np.linalg.svd(weight)
    for _ in range(500):
        u, v = power_iteration(weight, u)
    sign = np.sign(u @ left[:, 0])
    np.testing.assert_allclose(sign * u, left[:, 0], atol=1e-10)
    np.testing.assert_allclose(sign * v, right[0], atol=1e-10)
    assert u @ weight @ v == pytest.approx(values[0], rel=1e-12)                # (SN.3)


def test_spectral_norm_divides_the_weight_by_its_largest_singular_value(rng):
    """(SN.4): the output is x·W/σ + b, and a layer without a bias has a slope of at most 1."""
    layer, x = normalised(rng), rng.standard_normal((5, 6))
    weight, bias = layer.layer.weight.value, layer.layer.bias.value
    expected = x @ (weight / np.linalg.svd(weight)[1][0]) + bias
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=1e-10)
    first = layer.u[None]                                       # the direction of the largest slope
    slope = np.linalg.norm(layer.forward(first)[0] - layer.forward(0 * first)[0])
    assert slope == pytest.approx(1, rel=1e-10)


def test_spectral_norm_of_a_convolution_is_that_of_its_matrix(rng):
    conv = Conv2d(2, 3, 2, stride=2, rng=rng, dtype=np.float64)
    x = rng.standard_normal((2, 4, 4, 2))
    expected = conv.forward(x)[0] / np.linalg.svd(conv.weight.value.reshape(8, 3))[1][0]
    np.testing.assert_allclose(SpectralNorm(conv).forward(x)[0], expected, rtol=1e-10)


def test_spectral_norm_gradient_is_the_formula_of_the_paper(rng):
    """(SN.5, SN.6, SN.7): dW = (dW̄ − ⟨dW̄, W̄⟩·u·vᵀ) / σ for the gradient dW̄ at the divided weight."""
    layer, x, dout = normalised(rng), rng.standard_normal((5, 6)), rng.standard_normal((5, 4))
    weight = layer.layer.weight.value
    left, values, right = np.linalg.svd(weight)
    dx = layer.backward(dout, layer.forward(x)[1])
    dwbar, wbar = x.T @ dout, weight / values[0]
    expected = (dwbar - (dwbar * wbar).sum() * np.outer(left[:, 0], right[0])) / values[0]
    np.testing.assert_allclose(layer.layer.weight.grad, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.layer.bias.grad, dout.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(dx, dout @ wbar.T, rtol=1e-9)
    # The output does not depend on the scale of W, so the gradient is orthogonal to W.
    assert (layer.layer.weight.grad * weight).sum() == pytest.approx(0, abs=1e-10)


def test_gradient_check_finds_a_missing_term_of_sigma(rng, monkeypatch):
    """With σ as a constant, dW has only the first term of (SN.6)."""
    layer, x = normalised(rng, bias=False), rng.standard_normal((5, 6))
    assert all(result.ok for result in check_layer(layer, x, rng=0))
    monkeypatch.setattr(module.np, "vdot", lambda a, b: np.float64(0))
    assert [result.what for result in check_layer(layer, x, rng=0) if not result.ok] == ["layer.weight"]


def test_spectral_norm_follows_a_weight_that_trains(rng):
    """One step of power iteration for each forward in training is enough for small changes of W."""
    layer, x = normalised(rng), rng.standard_normal((5, 6))
    for _ in range(200):
        layer.layer.weight.value += 0.01 * rng.standard_normal((6, 4))
        layer.forward(x, training=True)
    sigma = layer.forward(x)[1].sigma
    largest = np.linalg.svd(layer.layer.weight.value)[1][0]
    assert 0.97 * largest < sigma <= largest * (1 + 1e-12)
    layer.converge()
    assert layer.forward(x)[1].sigma == pytest.approx(largest, rel=1e-12)


def test_spectral_norm_changes_its_state_in_training_only(rng):
    layer, x = normalised(rng), rng.standard_normal((5, 6))
    layer.layer.weight.value += rng.standard_normal((6, 4))
    layer.converge()
    layer.layer.weight.value += 0.1 * rng.standard_normal((6, 4))
    before = layer.u.copy()
    layer.forward(x)
    np.testing.assert_array_equal(layer.u, before)
    _, cache = layer.forward(x, training=True)
    assert not np.array_equal(layer.u, before)
    u = cache.u.copy()
    layer.forward(x, training=True)
    np.testing.assert_array_equal(cache.u, u)                   # the cache does not change with the layer
    assert list(layer.buffers()) == ["u", "v"] and list(layer.parameters()) == ["layer.weight", "layer.bias"]


def test_spectral_norm_state_is_saved(rng, tmp_path):
    model = GAN(Linear(2, 6, rng=rng), SpectralNorm(Linear(6, 1, rng=rng)), code=2, output_range=None)
    X = rng.standard_normal((20, 6)).astype(np.float32)
    before = model.discriminator.u.copy()
    model.fit(X, epochs=1, batch_size=5, lr=0.1, rng=0)
    save(model, tmp_path / "model.npz")
    other = load(tmp_path / "model.npz")
    assert not np.array_equal(other.discriminator.u, before)
    np.testing.assert_array_equal(other.discriminator.u, model.discriminator.u)
    np.testing.assert_array_equal(other.critic_score(X), model.critic_score(X))


@pytest.mark.parametrize("training", [False, True])
def test_spectral_norm_refuses_a_weight_of_zeros(rng, training):
    layer = normalised(rng)
    layer.layer.weight.value[...] = 0
    with pytest.raises(ValueError, match="SpectralNorm expected a weight with a singular value above 0"):
        layer.forward(np.ones((2, 6)), training)


def test_spectral_norm_refuses_old_vectors_of_another_weight(rng):
    layer = normalised(rng)
    layer.layer.weight.value *= -1
    with pytest.raises(ValueError, match="after a change of the weight, call converge"):
        layer.forward(np.ones((2, 6)))
    layer.converge()
    layer.forward(np.ones((2, 6)))


@pytest.mark.parametrize(
    "layer",
    [ReLU(), BatchNorm(3), MaskedLinear(3, 2, np.ones((3, 2), bool), rng=0)],
    ids=["ReLU", "BatchNorm", "MaskedLinear"],
)
def test_spectral_norm_refuses_other_layers(layer):
    with pytest.raises(TypeError, match="SpectralNorm expected layer to be a Linear or Conv2d, got "):
        SpectralNorm(layer)
