"""tangent_backward: the gradient of ⟨jvp(dx), dout⟩ with respect to the weights."""

import numpy as np
import pytest

from scratchgen.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaskedConv2d,
    MaskedLinear,
    MaxPool2d,
    Parameter,
    Sequential,
    Sigmoid,
)
from scratchgen.models.gan.gradient_penalty import gradient_penalty, is_piecewise_linear, tangent_backward

LAYERS = [
    (lambda kind: Linear(5, 3, **kind), (7, 5)),
    (lambda kind: Linear(4, 3, bias=False, **kind), (2, 3, 4)),
    (lambda kind: Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), **kind), (2, 6, 3, 2)),
    (lambda kind: Conv2d(1, 2, 2, stride=3, bias=False, **kind), (2, 7, 6, 1)),
    (lambda kind: ConvTranspose2d(3, 2, (3, 2), stride=(2, 1), padding=(1, 0), **kind), (2, 3, 4, 3)),
    (lambda kind: MaskedLinear(4, 3, np.tri(4, 3) > 0, **kind), (5, 4)),
    (lambda kind: MaskedConv2d(2, 3, np.tri(3, 3) > 0, padding=1, **kind), (2, 4, 3, 2)),
]


def prepare(build, shape, rng):
    layer = build({"rng": rng, "dtype": np.float64})
    x = rng.standard_normal(shape)
    return layer, x, rng.standard_normal(layer.forward(x)[0].shape), rng.standard_normal(shape)


@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_tangent_backward_is_the_derivative_of_the_tangent(build, shape, rng, backend):
    """⟨jvp(dx), dout⟩ is linear in W, so a difference of any size is exact up to rounding."""
    layer, x, dout, dx = prepare(build, shape, rng)
    tangent_backward(layer, dout, dx)
    numeric = np.empty(layer.weight.shape)
    for i in np.ndindex(numeric.shape):
        before = float((layer.jvp(dx, layer.forward(x)[1]) * dout).sum())
        layer.weight.value[i] += 1
        numeric[i] = (layer.jvp(dx, layer.forward(x)[1]) * dout).sum() - before
        layer.weight.value[i] -= 1
    np.testing.assert_allclose(layer.weight.grad, numeric, rtol=1e-10, atol=1e-12)
    if layer.bias is not None:
        assert not layer.bias.grad.any()


@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_tangent_backward_adds_up(build, shape, rng):
    layer, _, dout, dx = prepare(build, shape, rng)
    tangent_backward(layer, dout, dx)
    once = layer.weight.grad.copy()
    tangent_backward(layer, -3 * dout, dx)
    np.testing.assert_allclose(layer.weight.grad, -2 * once, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_tangent_backward_of_a_frozen_layer_adds_nothing(build, shape, rng):
    """The gradient of the frozen layer is read-only, so adding even a zero would raise an error."""
    layer, _, dout, dx = prepare(build, shape, rng)
    layer.weight.grad.flags.writeable = False
    with layer.frozen():
        tangent_backward(layer, dout, dx)
    with pytest.raises(ValueError, match="read-only"):
        tangent_backward(layer, dout, dx)


def test_tangent_backward_takes_arrays_that_are_not_contiguous(rng):
    layer, _, dout, dx = prepare(*LAYERS[2], rng)
    tangent_backward(layer, dout, dx)
    expected = layer.weight.grad.copy()
    layer.zero_grad()
    tangent_backward(layer, *(np.asfortranarray(a) for a in (dout, dx)))
    np.testing.assert_array_equal(layer.weight.grad, expected)


def test_tangent_backward_of_a_layer_without_weights_is_nothing(rng):
    for layer in (LeakyReLU(0.2), MaxPool2d(2), Flatten()):
        assert tangent_backward(layer, np.ones((2, 2)), np.ones((2, 2))) is None


def test_piecewise_linear_says_whose_slope_is_constant_between_kinks(rng):
    """For a piecewise linear layer, half a step gives half the change; for a sigmoid it does not."""
    for layer in (Linear(4, 3, rng=rng, dtype=np.float64), LeakyReLU(0.2), AvgPool2d(2), Sigmoid()):
        x = 1 + rng.uniform(size=(2, 4, 4, 4) if isinstance(layer, AvgPool2d) else (2, 4))
        low, middle, high = (layer.forward(x + step)[0] for step in (-0.1, 0.0, 0.1))
        assert np.allclose(high - middle, middle - low, rtol=1e-9) == is_piecewise_linear(layer)
    assert not is_piecewise_linear(BatchNorm(3))


@pytest.mark.parametrize(("layer", "shape"),
    [
        (Linear(6, 4, rng=3), (3, 6)),
        (Conv2d(2, 3, (3, 2), stride=(2, 1), padding=1, rng=3), (3, 5, 4, 2)),
    ],
)
def test_tangent_backward_refuses_arrays_that_do_not_go_together(layer, shape, rng, backend):
    layer.zero_grad()
    tangent = rng.standard_normal(shape, np.float32)
    out, _ = layer.forward(tangent)
    for axis in range(out.ndim):
        with pytest.raises(ValueError, match="is this the cache of another batch"):
            tangent_backward(layer, np.concatenate([out, out], axis=axis), tangent)
    with pytest.raises(TypeError, match="of dtype float32, got float64"):
        tangent_backward(layer, out.astype(float), tangent)
    with pytest.raises(TypeError, match="a NumPy array, got list"):
        tangent_backward(layer, out.tolist(), tangent)
    with pytest.raises(TypeError, match="expected dtype float32, got float64"):
        tangent_backward(layer, out, tangent.astype(float))
    with pytest.raises(ValueError, match="expected"):
        tangent_backward(layer, out, np.concatenate([tangent, tangent], axis=-1))
    assert not layer.weight.grad.any()


@pytest.mark.parametrize("layer", [BatchNorm(3), LayerNorm(3)])
def test_tangent_backward_that_is_not_registered_is_refused(layer):
    """Without this error, the weights of such a layer would silently get no gradient."""
    with pytest.raises(TypeError, match=f"{type(layer).__name__} has no tangent_backward"):
        tangent_backward(layer, np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))


def test_tangent_backward_can_be_registered_for_a_layer_of_the_user(rng):
    """A critic with the layer raises an error first; after registration, its penalty is that of Linears."""

    class Scale(Layer):
        def __init__(self):
            self.weight = Parameter(np.array([2.0, -3.0]))

        def forward(self, x, training=False):
            return x * self.weight.value, x

        def backward(self, dout, x, input_grad=True):
            return dout * self.weight.value

        def jvp(self, dx, x):
            return dx * self.weight.value

    scale, last, x = Scale(), Linear(2, 1, rng=rng, dtype=np.float64), rng.standard_normal((4, 2))
    with pytest.raises(TypeError, match="expected piecewise linear layers .* got Scale"):
        gradient_penalty(Sequential(scale, last), x, 1.0)

    def add(layer, dout, dx):
        layer.weight.grad += (dout * dx).sum(axis=0)

    tangent_backward.register(Scale, add)
    penalty, _ = gradient_penalty(Sequential(scale, last), x, 1.0)
    plain = Linear(2, 2, rng=rng, dtype=np.float64)
    plain.weight.value[...] = np.diag(scale.weight.value)
    expected, _ = gradient_penalty(Sequential(plain, last), x, 1.0)
    assert penalty == pytest.approx(expected)
    np.testing.assert_allclose(scale.weight.grad, np.diag(plain.weight.grad), rtol=1e-12)
