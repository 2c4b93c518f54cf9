"""Batch and layer normalisation: every line of the derivation, both modes, and the running statistics."""

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.layers import BatchNorm, LayerNorm

EPS = 1e-5


def randomised(layer, rng):
    """Weights, biases and running statistics that are neither zero nor one."""
    layer.weight.value[...] = rng.uniform(0.5, 2, layer.weight.shape)
    layer.bias.value[...] = rng.standard_normal(layer.bias.shape)
    if layer.buffers():
        layer.running_mean[...] = rng.standard_normal(layer.running_mean.shape)
        layer.running_var[...] = rng.uniform(0.5, 2, layer.running_var.shape)
    return layer


def slopes(f, a):
    """∂f/∂a by central differences, entry by entry."""
    grad = np.empty_like(a)
    for index in np.ndindex(a.shape):
        step = np.zeros_like(a)
        step[index] = 1e-5
        grad[index] = (f(a + step) - f(a - step)) / 2e-5
    return grad


NORMS = [(BatchNorm, 0), (LayerNorm, 1)]    # the layer, and the axis of its means
MODES = [(BatchNorm, True), (BatchNorm, False), (LayerNorm, True)]


@pytest.mark.parametrize(("layer_class", "axis"), NORMS)
def test_norm_forward_equals_loops(backend, rng, layer_class, axis):
    """(BN.1, BN.2, BN.3, BN.4, BN.5) and (LN.1, LN.2, LN.3, LN.4, LN.5), one row or column at a time."""
    layer = randomised(layer_class(4, eps=0.1, dtype=np.float64), rng)
    x = rng.standard_normal((7, 4)) * 3 + 2
    out, _ = layer.forward(x, training=True)
    xhat = np.empty(x.shape)
    for k in range(x.shape[1 - axis]):
        group = (slice(None), k) if axis == 0 else (k, slice(None))
        values = list(x[group])
        mean = sum(values) / len(values)
        var = sum((v - mean) ** 2 for v in values) / len(values)
        xhat[group] = [(v - mean) / (var + 0.1) ** 0.5 for v in values]
    expected = np.empty(x.shape)
    for m, c in np.ndindex(x.shape):
        expected[m, c] = layer.weight.value[c] * xhat[m, c] + layer.bias.value[c]
    np.testing.assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize(("layer_class", "axis"), NORMS)
def test_norm_backward_line_by_line(backend, rng, layer_class, axis):
    """Each line of the backward pass is compared with differences of the rest of the forward pass.

    (BN.6, LN.6) dxhat, (BN.7, LN.7) dweight and dbias, (BN.8, LN.8) dvar with xc constant, (BN.9, LN.9) dxc
    through both xhat and var, (BN.10, LN.10) dx.
    """
    layer = randomised(layer_class(4, dtype=np.float64), rng)
    x = rng.standard_normal((5, 4)) * 2 + 1
    dout = rng.standard_normal((5, 4))
    weight, bias = layer.weight.value.copy(), layer.bias.value.copy()
    m = x.shape[axis]
    xc = x - x.mean(axis, keepdims=True)
    var = (xc**2).mean(axis, keepdims=True)
    inv = 1 / np.sqrt(var + EPS)
    xhat = xc * inv

    def loss_of_xhat(xhat, weight=weight, bias=bias):
        return np.vdot(weight * xhat + bias, dout)

    def loss_of_xc(xc):
        return loss_of_xhat(xc / np.sqrt((xc**2).mean(axis, keepdims=True) + EPS))

    dxhat = dout * weight
    np.testing.assert_allclose(dxhat, slopes(loss_of_xhat, xhat), rtol=1e-7, atol=1e-8)
    dvar = -0.5 * inv**3 * (dxhat * xc).sum(axis, keepdims=True)
    np.testing.assert_allclose(
        dvar, slopes(lambda var: loss_of_xhat(xc / np.sqrt(var + EPS)), var), rtol=1e-7, atol=1e-8
    )
    dxc = dxhat * inv + 2 / m * xc * dvar
    np.testing.assert_allclose(dxc, slopes(loss_of_xc, xc), rtol=1e-7, atol=1e-8)
    dx = dxc - dxc.mean(axis, keepdims=True)
    np.testing.assert_allclose(
        dx, slopes(lambda x: loss_of_xc(x - x.mean(axis, keepdims=True)), x), rtol=1e-7, atol=1e-8
    )

    _, cache = layer.forward(x, training=True)
    np.testing.assert_allclose(layer.backward(dout, cache), dx, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(
        layer.weight.grad, slopes(lambda w: loss_of_xhat(xhat, weight=w), weight), rtol=1e-7, atol=1e-8
    )
    np.testing.assert_allclose(
        layer.bias.grad, slopes(lambda b: loss_of_xhat(xhat, bias=b), bias), rtol=1e-7, atol=1e-8
    )


@pytest.mark.parametrize(("layer_class", "training"), MODES)
def test_norm_jvp_is_the_directional_derivative(backend, rng, layer_class, training):
    layer = randomised(layer_class(3, dtype=np.float64), rng)
    x, dx = rng.standard_normal((2, 5, 3))
    _, cache = layer.forward(x, training)
    tangent = layer.jvp(dx, cache)
    buffers = {name: value.copy() for name, value in layer.buffers().items()}
    ahead, _ = layer.forward(x + 1e-5 * dx, training)
    for name, value in buffers.items():
        layer.buffers()[name][...] = value
    behind, _ = layer.forward(x - 1e-5 * dx, training)
    np.testing.assert_allclose(tangent, (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-8)


def test_batch_norm_by_hand(backend):
    """The values 1, 3, 5, 7 have mean 4 and variance 5."""
    layer = BatchNorm(1, eps=4.0, dtype=np.float64)
    out, cache = layer.forward(np.array([[1.0], [3], [5], [7]]), training=True)
    np.testing.assert_allclose(out.ravel(), [-1, -1 / 3, 1 / 3, 1], rtol=1e-14)
    dx = layer.backward(np.array([[9.0], [0], [0], [0]]), cache)
    # inv (g − mean g − xhat mean(g xhat)) = (1/3)·(g − 9/4 + 9/4·xhat)
    np.testing.assert_allclose(dx.ravel(), [1.5, -1, -0.5, 0], rtol=1e-13, atol=1e-14)


def test_batch_norm_keeps_running_statistics(backend):
    """(BN.11): the unbiased variance of 1, 3, 5, 7 is 20/3; two batches, momentum 0.25."""
    layer = BatchNorm(1, momentum=0.25, dtype=np.float64)
    mean, var = layer.buffers().values()
    x = np.array([[1.0], [3], [5], [7]])
    layer.forward(x, training=True)
    np.testing.assert_allclose([mean[0], var[0]], [1.0, 0.75 + 0.25 * 20 / 3], rtol=1e-14)
    with layer.frozen():
        layer.forward(2 * x, training=True)
    np.testing.assert_allclose([mean[0], var[0]], [2.75, 0.75 * (0.75 + 5 / 3) + 0.25 * 80 / 3], rtol=1e-14)
    layer.forward(100 * x)
    assert mean[0] == pytest.approx(2.75)


def test_batch_norm_evaluation_uses_running_statistics(backend, rng):
    """(BN.12, BN.13), with one example, which is an error in training."""
    layer = randomised(BatchNorm(3, dtype=np.float64), rng)
    x, dout = rng.standard_normal((2, 1, 3))
    out, cache = layer.forward(x)
    slope = layer.weight.value / np.sqrt(layer.running_var + EPS)
    expected = slope * (x - layer.running_mean) + layer.bias.value
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(layer.backward(dout, cache), dout * slope, rtol=1e-13)
    xhat = (x - layer.running_mean) / np.sqrt(layer.running_var + EPS)
    np.testing.assert_allclose(layer.weight.grad, (dout * xhat)[0], rtol=1e-13)
    np.testing.assert_allclose(layer.bias.grad, dout[0], rtol=1e-13)


def test_batch_norm_modes_agree_for_equal_statistics(backend, rng):
    layer = BatchNorm(3, momentum=1.0, dtype=np.float64)
    x = rng.standard_normal((5, 3))
    trained, _ = layer.forward(x, training=True)
    layer.running_var *= 4 / 5      # the biased variance, as in training
    evaluated, _ = layer.forward(x)
    np.testing.assert_allclose(trained, evaluated, rtol=1e-12, atol=1e-14)


def test_batch_norm_counts_pixels_as_examples(backend, rng):
    dense, image = BatchNorm(4, dtype=np.float64), BatchNorm(4, dtype=np.float64)
    x = rng.standard_normal((3, 5, 2, 4))
    dout = rng.standard_normal(x.shape)
    out, cache = image.forward(x, training=True)
    flat, flat_cache = dense.forward(x.reshape(-1, 4), training=True)
    np.testing.assert_array_equal(out.reshape(-1, 4), flat)
    dx = image.backward(dout, cache)
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dx.reshape(-1, 4), dense.backward(dout.reshape(-1, 4), flat_cache))
    np.testing.assert_array_equal(image.weight.grad, dense.weight.grad)
    np.testing.assert_array_equal(image.running_var, dense.running_var)


def test_layer_norm_ignores_the_other_examples(backend, rng):
    layer = randomised(LayerNorm(4, dtype=np.float64), rng)
    x = rng.standard_normal((3, 2, 4))
    out, _ = layer.forward(x, training=True)
    alone, _ = layer.forward(x[1:2, 1])
    np.testing.assert_allclose(out[1, 1], alone[0], rtol=1e-14)


@pytest.mark.parametrize("layer_class", [BatchNorm, LayerNorm])
def test_norm_of_a_constant_input_is_finite(backend, layer_class):
    layer = layer_class(3)
    out, cache = layer.forward(np.full((4, 3), 5, np.float32), training=True)
    np.testing.assert_array_equal(out, np.zeros((4, 3)))
    assert np.isfinite(layer.backward(np.ones_like(out), cache)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [3, 7, 48, 100, 768, 1000])
@pytest.mark.parametrize("value", [0.1, 100 / 3, 255.0, 9694.5586, 1e6, -1e6, 1e14])
@pytest.mark.parametrize("layer_class", [BatchNorm, LayerNorm])
def test_norm_of_equal_numbers_is_the_bias(backend, layer_class, value, width, dtype):
    """x − mean is exactly 0 for every number, although the sum of the numbers is rounded."""
    shape = (width, 2) if layer_class is BatchNorm else (2, width)
    layer = layer_class(shape[1], dtype=dtype)
    layer.bias.value[...] = 0.25
    out, _ = layer.forward(np.full(shape, value, dtype), training=True)
    np.testing.assert_array_equal(out, np.full(shape, 0.25))


@pytest.mark.parametrize("layer_class", [BatchNorm, LayerNorm])
def test_norm_keeps_nan(backend, layer_class):
    x = np.ones((4, 3), np.float32)
    x[1, 2] = np.nan
    out, _ = layer_class(3).forward(x, training=True)
    bad = np.isnan(out)
    assert bad[:, 2].all() if layer_class is BatchNorm else bad[1].all()
    assert bad.sum() == (4 if layer_class is BatchNorm else 3)


@pytest.mark.parametrize("name", kernels.BACKENDS)
def test_batch_norm_is_accurate_for_a_mean_far_from_zero(rng, name):
    """var = mean(x²) − mean² would lose every digit here in float32."""
    x = (rng.standard_normal((4000, 2)) + 1000).astype(np.float32)
    with kernels.use(name):
        out, _ = BatchNorm(2).forward(x, training=True)
    exact, _ = BatchNorm(2, dtype=np.float64).forward(x.astype(np.float64), training=True)
    np.testing.assert_allclose(out, exact, atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("layer_class", "training"), MODES)
def test_norm_kernels_agree(dtype, layer_class, training):
    results = []
    for name in kernels.BACKENDS:
        rng = np.random.default_rng(3)
        layer = randomised(layer_class(5, dtype=dtype), rng)
        x, dout = rng.standard_normal((2, 3, 7, 2, 5)).astype(dtype)
        with kernels.use(name):
            out, cache = layer.forward(x, training)
            dx = layer.backward(dout, cache)
        results.append([out, dx, layer.weight.grad, layer.bias.grad, *layer.buffers().values()])
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: BatchNorm(0), ValueError, "BatchNorm expected num_features of at least 1, got 0"),
        (lambda: LayerNorm(0), ValueError, "LayerNorm expected features of at least 1, got 0"),
        (
            lambda: BatchNorm(3).forward(np.zeros((1, 3), np.float32), training=True),
            ValueError,
            r"BatchNorm expected at least two values per channel in training, got \(1, 3\)",
        ),
        (lambda: BatchNorm(3).forward(np.zeros((4, 2), np.float32)), ValueError, r"\(N, 3\), got \(4, 2\)"),
        (lambda: LayerNorm(3).forward(np.zeros((4, 3))), TypeError, "LayerNorm expected dtype float32"),
    ],
)
def test_norm_error_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
