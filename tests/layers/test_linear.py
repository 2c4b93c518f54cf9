"""Linear compared with explicit sums, and refused arguments."""

import re

import numpy as np
import pytest

from scratchgen.layers import Linear


@pytest.fixture
def layer(rng):
    layer = Linear(4, 3, rng=rng, dtype=np.float64)
    layer.bias.value[:] = rng.standard_normal(3)
    return layer


def test_linear_forward_equals_explicit_sums(layer, rng):
    """(LIN.1) outₙₘ = Σ_d xₙ_d·W_dₘ + bₘ."""
    x = rng.standard_normal((5, 4))
    w, b = layer.weight.value, layer.bias.value
    expected = [[sum(x[n, d] * w[d, m] for d in range(4)) + b[m] for m in range(3)] for n in range(5)]
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=1e-13)


def test_linear_gradients_equal_explicit_sums(layer, rng):
    """(LIN.2) dW_dₘ = Σₙ xₙ_d·doutₙₘ, (LIN.3) dbₘ = Σₙ doutₙₘ, (LIN.4) dxₙ_d = Σₘ doutₙₘ·W_dₘ."""
    x, dout = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    dx = layer.backward(dout, layer.forward(x)[1])
    dw = [[sum(x[n, d] * dout[n, m] for n in range(5)) for m in range(3)] for d in range(4)]
    db = [sum(dout[n, m] for n in range(5)) for m in range(3)]
    w = layer.weight.value
    expected = [[sum(dout[n, m] * w[d, m] for m in range(3)) for d in range(4)] for n in range(5)]
    np.testing.assert_allclose(layer.weight.grad, dw, rtol=1e-12)
    np.testing.assert_allclose(layer.bias.grad, db, rtol=1e-12)
    np.testing.assert_allclose(dx, expected, rtol=1e-12)


def test_linear_on_sequences_equals_linear_on_each_step(layer, rng):
    x, dout = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 5, 3))
    out, cache = layer.forward(x)
    dx = layer.backward(dout, cache)
    dw = layer.weight.grad.copy()
    layer.zero_grad()
    rows, row_cache = layer.forward(x.reshape(10, 4))
    drows = layer.backward(dout.reshape(10, 3), row_cache)
    np.testing.assert_allclose(out.reshape(10, 3), rows)
    np.testing.assert_allclose(dx.reshape(10, 4), drows)
    np.testing.assert_allclose(dw, layer.weight.grad)


def test_linear_without_bias_is_the_product(rng):
    layer = Linear(4, 3, bias=False, rng=rng, dtype=np.float64)
    x = rng.standard_normal((5, 4))
    assert list(layer.parameters()) == ["weight"]
    assert (layer.forward(x)[0] == x @ layer.weight.value).all()


def test_linear_starts_with_its_initialiser_and_a_bias_of_zero(rng):
    def counting(shape, fan_in, fan_out, *, rng, dtype):
        assert (shape, fan_in, fan_out) == ((4, 3), 4, 3)
        return np.arange(12, dtype=dtype).reshape(shape)

    layer = Linear(4, 3, rng=rng, init=counting)
    assert layer.weight.value[1, 2] == 5
    assert not layer.bias.value.any()


def test_linear_weights_depend_only_on_its_generator():
    first, second = (Linear(4, 3, rng=np.random.default_rng(1)).weight.value for _ in range(2))
    assert (first == second).all()
    assert not (first == Linear(4, 3, rng=np.random.default_rng(2)).weight.value).any()


def test_linear_refuses_wrong_shapes_and_dtypes(rng):
    layer = Linear(4, 3, rng=rng)
    with pytest.raises(ValueError, match=r"Linear expected input of shape \(N, 4\), got \(5, 3\)"):
        layer.forward(np.zeros((5, 3), np.float32))
    with pytest.raises(ValueError, match=r"Linear expected input of shape \(N, 4\), got \(4,\)"):
        layer.forward(np.zeros(4, np.float32))
    message = (
        "Linear expected dtype float32, got float64; pass x.astype(np.float32), "
        "or build the layer with dtype=np.float64"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        layer.forward(np.zeros((5, 4)))
    with pytest.raises(TypeError, match="Linear expected dtype float32, got int64"):
        layer.forward(np.zeros((5, 4), int))
    with pytest.raises(TypeError, match="Linear expected a NumPy array, got list"):
        layer.forward([[1.0] * 4])


def test_linear_keeps_the_dtype_of_its_parameters(rng):
    for dtype in (np.float32, np.float64):
        layer = Linear(4, 3, rng=rng, dtype=dtype)
        out, cache = layer.forward(np.ones((5, 4), dtype))
        dx = layer.backward(np.ones((5, 3), dtype), cache)
        assert {out.dtype, dx.dtype, layer.weight.grad.dtype, layer.bias.grad.dtype} == {np.dtype(dtype)}


def test_linear_repr(rng):
    assert repr(Linear(4, 3, rng=rng)) == "Linear(4, 3, bias=True)"
