"""All layers for images: the layer contract, jvp against backward, compiled against reference."""

import copy

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    LayerNorm,
    MaxPool2d,
    Reshape,
)

CASES = {
    "Conv2d": lambda rng, dtype: Conv2d(3, 4, (3, 2), (2, 1), (1, 2), rng=rng, dtype=dtype),
    "ConvTranspose2d": lambda rng, dtype: ConvTranspose2d(
        3, 2, (2, 3), (2, 3), (1, 0), (1, 2), rng=rng, dtype=dtype
    ),
    "MaxPool2d": lambda rng, dtype: MaxPool2d((3, 2), (1, 2), 1),
    "AvgPool2d": lambda rng, dtype: AvgPool2d((3, 2), (1, 2), 1),
    "BatchNorm": lambda rng, dtype: BatchNorm(3, dtype=dtype),
    "LayerNorm": lambda rng, dtype: LayerNorm(3, dtype=dtype),
    "Dropout": lambda rng, dtype: Dropout(0.4, rng=rng),
    "Reshape": lambda rng, dtype: Reshape(7, 15),
    "Flatten": lambda rng, dtype: Flatten(),
}
SHAPE = (2, 5, 7, 3)

every_layer = pytest.mark.parametrize("name", CASES)
both_modes = pytest.mark.parametrize("training", [True, False])


def build(name, dtype=np.float64, seed=7):
    """The layer with random parameters, and the generator that made them."""
    rng = np.random.default_rng(seed)
    layer = CASES[name](rng, dtype)
    for p in layer.parameters().values():
        p.value[...] = rng.standard_normal(p.shape)
    return layer, rng


def arrays_in(cache):
    return [a for a in (cache if isinstance(cache, tuple) else (cache,)) if isinstance(a, np.ndarray)]


@both_modes
@every_layer
def test_layer_jvp_and_backward_are_adjoint(backend, name, training):
    """<J·v, u> = <v, Jᵀ·u>."""
    layer, rng = build(name)
    x, v = rng.standard_normal((2, *SHAPE))
    out, cache = layer.forward(x, training)
    u = rng.standard_normal(out.shape)
    tangent, dx = layer.jvp(v, cache), layer.backward(u, cache)
    assert tangent.shape == out.shape and dx.shape == x.shape
    np.testing.assert_allclose(np.vdot(tangent, u), np.vdot(v, dx), rtol=1e-11, atol=1e-11)


@both_modes
@every_layer
def test_layer_does_not_change_its_arguments(backend, name, training):
    layer, rng = build(name)
    x = rng.standard_normal(SHAPE)
    before = x.copy()
    out, cache = layer.forward(x, training)
    dout = rng.standard_normal(out.shape)
    dout_before, cached = dout.copy(), copy.deepcopy(arrays_in(cache))
    values = [p.value.copy() for p in layer.parameters().values()]
    layer.backward(dout, cache)
    layer.jvp(x, cache)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(dout, dout_before)
    for now, then in zip(arrays_in(cache), cached, strict=True):
        np.testing.assert_array_equal(now, then)
    for p, value in zip(layer.parameters().values(), values, strict=True):
        np.testing.assert_array_equal(p.value, value)


@every_layer
def test_layer_two_calls_do_not_interfere_and_gradients_add_up(backend, name):
    """Two calls of forward, then two of backward, give the same as two separate passes."""
    layer, rng = build(name)
    xs = rng.standard_normal((2, *SHAPE))
    passes = [layer.forward(x, training=True) for x in xs]
    douts = [rng.standard_normal(out.shape) for out, _ in passes]
    dxs = [layer.backward(dout, cache) for dout, (_, cache) in zip(douts, passes, strict=True)]
    together = [p.grad.copy() for p in layer.parameters().values()]
    separate = [np.zeros_like(g) for g in together]
    for dx, dout, (_, cache) in zip(dxs, douts, passes, strict=True):
        layer.zero_grad()
        np.testing.assert_array_equal(layer.backward(dout, cache), dx)
        for total, p in zip(separate, layer.parameters().values(), strict=True):
            total += p.grad
    for a, b in zip(together, separate, strict=True):
        assert a.any()
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@both_modes
@every_layer
def test_layer_computes_only_the_requested_gradients(backend, name, training):
    """If frozen, backward computes only dx; with input_grad=False, only parameter gradients."""
    layer, rng = build(name)
    out, cache = layer.forward(rng.standard_normal(SHAPE), training)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout, cache)
    grads = [p.grad.copy() for p in layer.parameters().values()]
    layer.zero_grad()
    with layer.frozen():
        np.testing.assert_array_equal(layer.backward(dout, cache), dx)
    assert not any(p.grad.any() for p in layer.parameters().values())
    assert layer.backward(dout, cache, input_grad=False) is None
    for p, grad in zip(layer.parameters().values(), grads, strict=True):
        np.testing.assert_allclose(p.grad, grad, rtol=1e-12, atol=1e-12)


@both_modes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_layer
def test_layer_keeps_its_dtype_and_its_kernels_agree(name, dtype, training):
    results = []
    for kernel_set in kernels.BACKENDS:
        layer, rng = build(name, dtype)
        x = rng.standard_normal(SHAPE).astype(dtype)
        with kernels.use(kernel_set):
            out, cache = layer.forward(x, training)
            dout = rng.standard_normal(out.shape).astype(dtype)
            dx, tangent = layer.backward(dout, cache), layer.jvp(x, cache)
        state = [p.grad for p in layer.parameters().values()] + list(layer.buffers().values())
        results.append([out, dx, tangent, *state])
    # The three numbers of a row may be close to each other; then layer norm divides by a small number.
    tolerance = 1e-3 if dtype == np.float32 else 1e-11
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_image_layers_have_the_expected_repr():
    texts = [repr(build(name)[0]) for name in CASES]
    assert texts == [
        "Conv2d(3, 4, kernel_size=(3, 2), stride=(2, 1), padding=(1, 2), bias=True)",
        "ConvTranspose2d(3, 2, kernel_size=(2, 3), stride=(2, 3), padding=(1, 0), "
        "output_padding=(1, 2), bias=True)",
        "MaxPool2d(kernel_size=(3, 2), stride=(1, 2), padding=(1, 1))",
        "AvgPool2d(kernel_size=(3, 2), stride=(1, 2), padding=(1, 1))",
        "BatchNorm(3, eps=1e-05, momentum=0.1)",
        "LayerNorm(3, eps=1e-05)",
        "Dropout(0.4)",
        "Reshape(7, 15)",
        "Flatten()",
    ]
