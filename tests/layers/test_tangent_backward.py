"""tangent_backward: the weights' gradient of ⟨jvp(dx), dout⟩, where jvp needs no input of the layer's."""

import numpy as np
import pytest

from scratchgen.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Sigmoid,
)

LAYERS = [
    (lambda kind: Linear(5, 3, **kind), (7, 5)),
    (lambda kind: Linear(4, 3, bias=False, **kind), (2, 3, 4)),
    (lambda kind: Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), **kind), (2, 6, 3, 2)),
    (lambda kind: Conv2d(1, 2, 2, stride=3, bias=False, **kind), (2, 7, 6, 1)),
    (lambda kind: ConvTranspose2d(3, 2, (3, 2), stride=(2, 1), padding=(1, 0), **kind), (2, 3, 4, 3)),
]


def prepare(build, shape, rng):
    layer = build({"rng": rng, "dtype": np.float64})
    out, cache = layer.forward(rng.standard_normal(shape))
    return layer, cache, rng.standard_normal(out.shape), rng.standard_normal(shape)


@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_tangent_backward_is_the_derivative_of_the_tangent(build, shape, rng, backend):
    """⟨jvp(dx), dout⟩ is linear in W, so a difference of any length is exact up to rounding."""
    layer, cache, dout, dx = prepare(build, shape, rng)
    layer.tangent_backward(dout, dx)
    numeric = np.empty(layer.weight.shape)
    for i in np.ndindex(numeric.shape):
        before = float((layer.jvp(dx, cache) * dout).sum())
        layer.weight.value[i] += 1
        numeric[i] = (layer.jvp(dx, cache) * dout).sum() - before
        layer.weight.value[i] -= 1
    np.testing.assert_allclose(layer.weight.grad, numeric, rtol=1e-10, atol=1e-12)
    if layer.bias is not None:
        assert not layer.bias.grad.any()


@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_tangent_backward_adds_up(build, shape, rng):
    layer, _, dout, dx = prepare(build, shape, rng)
    layer.tangent_backward(dout, dx)
    once = layer.weight.grad.copy()
    layer.tangent_backward(-3 * dout, dx)
    np.testing.assert_allclose(layer.weight.grad, -2 * once, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_tangent_backward_of_a_frozen_layer_adds_nothing(build, shape, rng):
    """The gradient may not be written to while the layer is frozen, so not even a zero is added."""
    layer, _, dout, dx = prepare(build, shape, rng)
    layer.weight.grad.flags.writeable = False
    with layer.frozen():
        layer.tangent_backward(dout, dx)
    with pytest.raises(ValueError, match="read-only"):
        layer.tangent_backward(dout, dx)


def test_tangent_backward_takes_arrays_that_are_not_contiguous(rng):
    layer, _, dout, dx = prepare(*LAYERS[2], rng)
    layer.tangent_backward(dout, dx)
    expected = layer.weight.grad.copy()
    layer.zero_grad()
    layer.tangent_backward(*(np.asfortranarray(a) for a in (dout, dx)))
    np.testing.assert_array_equal(layer.weight.grad, expected)


def test_tangent_backward_of_a_layer_without_weights_is_nothing(rng):
    for layer in (LeakyReLU(0.2), MaxPool2d(2), Flatten()):
        assert layer.tangent_backward(np.ones((2, 2)), np.ones((2, 2))) is None


def test_piecewise_linear_says_whose_slope_is_constant_between_kinks(rng):
    """Half a step either way gives half the change each way; a sigmoid's halves differ."""
    for layer in (Linear(4, 3, rng=rng, dtype=np.float64), LeakyReLU(0.2), AvgPool2d(2), Sigmoid()):
        x = 1 + rng.uniform(size=(2, 4, 4, 4) if isinstance(layer, AvgPool2d) else (2, 4))
        low, middle, high = (layer.forward(x + step)[0] for step in (-0.1, 0.0, 0.1))
        assert np.allclose(high - middle, middle - low, rtol=1e-9) == layer.piecewise_linear
    assert not BatchNorm(3).piecewise_linear


@pytest.mark.parametrize("layer", [BatchNorm(3), LayerNorm(3)])
def test_tangent_backward_that_is_not_written_is_refused(layer):
    """Weights without one would get no gradient, and nobody would notice."""
    with pytest.raises(TypeError, match=f"{type(layer).__name__} has no tangent_backward"):
        layer.tangent_backward(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))
