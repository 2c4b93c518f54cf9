"""Each activation against Python's math, number by number, compiled and reference."""

import math

import numpy as np
import pytest

from scratchgen.layers import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh

POINTS = [-30.0, -3.1, -1.0, -0.2, -1e-3, 1e-3, 0.4, 1.0, 2.7, 30.0]
A = math.sqrt(2 / math.pi)


def sigma(x):
    return 1 / (1 + math.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + math.tanh(A * (x + 0.044715 * x**3)))


def gelu_slope(x):
    t = math.tanh(A * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * A * (1 + 3 * 0.044715 * x * x)


CASES = [
    (ReLU(), lambda x: max(x, 0), lambda x: float(x > 0)),  # (RELU.1), (RELU.2)
    (LeakyReLU(0.2), lambda x: x if x > 0 else 0.2 * x, lambda x: 1 if x > 0 else 0.2),
    (ELU(0.7), lambda x: x if x > 0 else 0.7 * math.expm1(x), lambda x: 1 if x > 0 else 0.7 * math.exp(x)),
    (Sigmoid(), sigma, lambda x: sigma(x) * sigma(-x)),
    (Tanh(), math.tanh, lambda x: 1 / math.cosh(x) ** 2),
    (SiLU(), lambda x: x * sigma(x), lambda x: sigma(x) + x * sigma(x) * sigma(-x)),
    (GELU(), gelu, gelu_slope),
    (Softplus(), lambda x: math.log1p(math.exp(x)) if x < 20 else x + math.log1p(math.exp(-x)), sigma),
]
LAYERS = [layer for layer, _, _ in CASES]


def name(value):
    return type(value).__name__


# (RELU.1), (LRELU.1), (ELU.1), (SIG.1), (TANH.1), (SILU.1), (GELU.1), (SOFTP.1)
@pytest.mark.parametrize(("layer", "f", "slope"), CASES, ids=name)
def test_activation_forward_equals_python_math(layer, f, slope, backend):
    x = np.array(POINTS).reshape(2, 5)
    expected = np.array([f(t) for t in POINTS]).reshape(2, 5)
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=1e-12, atol=1e-15)
    single = layer.forward(x.astype(np.float32))[0]
    np.testing.assert_allclose(single, expected, rtol=3e-6, atol=1e-7)


# (RELU.2), (LRELU.2), (ELU.2), (SIG.2), (TANH.2), (SILU.2), (GELU.2), (SOFTP.2)
@pytest.mark.parametrize(("layer", "f", "slope"), CASES, ids=name)
def test_activation_backward_multiplies_by_the_slope(layer, f, slope, backend, rng):
    x, dout = np.array(POINTS).reshape(2, 5), rng.standard_normal((2, 5))
    expected = dout * np.array([slope(t) for t in POINTS]).reshape(2, 5)
    _, cache = layer.forward(x)
    np.testing.assert_allclose(layer.backward(dout, cache), expected, rtol=1e-10, atol=1e-14)
    assert (layer.jvp(dout, cache) == layer.backward(dout, cache)).all()
    _, cache = layer.forward(x.astype(np.float32))
    dx = layer.backward(dout.astype(np.float32), cache)
    np.testing.assert_allclose(dx, expected, rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("layer", LAYERS, ids=name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_keeps_shape_and_dtype(layer, dtype, backend):
    for shape in ((3,), (2, 5), (2, 3, 4, 1), (0, 4)):
        x = np.ones(shape, dtype)
        out, cache = layer.forward(x)
        dx = layer.backward(np.ones(shape, dtype), cache)
        assert (out.shape, out.dtype, dx.shape, dx.dtype) == (shape, dtype, shape, dtype)


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_activation_accepts_non_contiguous_arrays(layer, backend, rng):
    x, dout = rng.standard_normal((6, 8)), rng.standard_normal((6, 8))
    out, cache = layer.forward(x[::2, 1::3])
    expected, full_cache = layer.forward(x)
    assert (out == expected[::2, 1::3]).all()
    assert (layer.backward(dout[::2, 1::3], cache) == layer.backward(dout, full_cache)[::2, 1::3]).all()


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_activation_returns_no_dx_without_input_grad(layer, backend):
    assert layer.backward(np.ones(3), layer.forward(np.ones(3))[1], input_grad=False) is None


@pytest.mark.parametrize("layer", LAYERS, ids=name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_keeps_nan(layer, dtype, backend):
    out, _ = layer.forward(np.array([1, np.nan, -1], dtype))
    assert np.isnan(out).tolist() == [False, True, False]


@pytest.mark.parametrize("layer", [Sigmoid(), Tanh(), Softplus(), SiLU()], ids=name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_of_large_inputs_reaches_its_limits(layer, dtype, backend):
    with np.errstate(all="raise", under="ignore"):
        out, cache = layer.forward(np.array([-1e4, 1e4], dtype))
        dx = layer.backward(np.ones(2, dtype), cache)
    lowest, highest = {"Sigmoid": (0, 1), "Tanh": (-1, 1)}.get(name(layer), (0, 1e4))
    np.testing.assert_allclose(out, [lowest, highest], atol=1e-30)
    np.testing.assert_allclose(dx, {"Softplus": [0, 1], "SiLU": [0, 1]}.get(name(layer), [0, 0]), atol=1e-30)


def test_relu_slope_at_zero_is_zero(backend):
    _, cache = ReLU().forward(np.array([0.0, -0.0]))
    assert (ReLU().backward(np.ones(2), cache) == 0).all()


def test_elu_is_continuous_with_alpha_one(backend):
    out, _ = ELU().forward(np.array([-1e-9, 0.0, 1e-9]))
    np.testing.assert_allclose(out, [-1e-9, 0, 1e-9], rtol=1e-6)
