"""Bijections: forward and inverse, the log-determinant of the numeric Jacobian, and refused arguments."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgen.layers import (
    AdditiveCoupling,
    AffineCoupling,
    Conv2d,
    Linear,
    Scaling,
    Sequential,
    Squeeze,
    Tanh,
)
from scratchgen.layers.masks import MASKS

DENSE, IMAGES = ("even", "odd", "first", "second"), ("first", "second", "dark", "light")


def dense(width, outputs, rng, dtype=np.float64):
    first, second = (Linear(a, b, rng=rng, dtype=dtype) for a, b in ((width, 9), (9, outputs)))
    return Sequential(first, Tanh(), second)


def coupling(kind, mask, shape, rng, dtype=np.float64):
    """A coupling for examples of the given shape, (D,) or (H, W, C)."""
    halved = 1 if mask in ("dark", "light") else 2
    width = shape[-1] // halved
    outputs = width * (2 if kind is AffineCoupling else 1)
    if len(shape) == 1:
        return kind(dense(width, outputs, rng, dtype), mask)
    return kind(Conv2d(width, outputs, 3, padding=1, rng=rng, dtype=dtype), mask)


def jacobian(f, x, step=1e-5):
    """The numeric Jacobian of f at one example x, (D, D), by central differences."""
    columns = []
    for i in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[i] = step
        columns.append(((f(x + d) - f(x - d)) / (2 * step)).ravel())
    return np.stack(columns, axis=1)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from([AdditiveCoupling, AffineCoupling]),
    mask=st.sampled_from(DENSE),
    n=st.integers(1, 5),
    half=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_coupling_inverse_undoes_forward(kind, mask, n, half, seed):
    """(NICE.1), (NICE.2), (RNVP.2), (RNVP.3): up to rounding in float64, within 1e-5 in float32."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 2 * half))
    for dtype, error in ((np.float64, 1e-13), (np.float32, 1e-5)):
        layer = coupling(kind, mask, (2 * half,), rng, dtype)
        z, _ = layer.forward(x.astype(dtype))
        assert z.dtype == dtype and not np.allclose(z, x)
        np.testing.assert_allclose(layer.inverse(z), x.astype(dtype), rtol=0, atol=error)
        again, _ = layer.forward(layer.inverse(x.astype(dtype)))
        np.testing.assert_allclose(again, x.astype(dtype), rtol=0, atol=error)


@pytest.mark.parametrize("mask", DENSE)
@pytest.mark.parametrize("kind", [AdditiveCoupling, AffineCoupling])
def test_coupling_of_an_odd_number_of_features(kind, mask, rng):
    """One part is one feature wider. Inverse and log-determinant are correct as for an even number."""
    kept, moved = MASKS[mask].widths(5)
    assert {kept, moved} == {2, 3} and (kept == 3) == (mask in ("even", "first"))
    layer = kind(dense(kept, moved * (2 if kind is AffineCoupling else 1), rng), mask)
    x = rng.standard_normal((4, 5))
    z, cache = layer.forward(x)
    assert ((z == x).sum(axis=1) == kept).all()
    np.testing.assert_allclose(layer.inverse(z), x, atol=1e-13)
    for one, logdet in zip(x, cache.logdet, strict=True):
        _, expected = np.linalg.slogdet(jacobian(lambda v: layer.forward(v[None])[0][0], one))
        np.testing.assert_allclose(logdet, expected, atol=1e-8)
    assert layer.backward(rng.standard_normal((4, 5)), cache).shape == (4, 5)


@pytest.mark.parametrize("mask", IMAGES)
@pytest.mark.parametrize("kind", [AdditiveCoupling, AffineCoupling])
def test_coupling_of_images_inverse_undoes_forward(kind, mask, rng):
    layer, x = coupling(kind, mask, (3, 5, 4), rng), rng.standard_normal((2, 3, 5, 4))
    z, _ = layer.forward(x)
    np.testing.assert_allclose(layer.inverse(z), x, atol=1e-13)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", [AdditiveCoupling, AffineCoupling])
def test_coupling_logdet_is_that_of_the_numeric_jacobian(kind, mask, rng):
    """(NICE.3), (RNVP.4): log |det| of the D × D Jacobian, one example at a time."""
    shape = (2, 3, 2) if mask in ("dark", "light") else (6,)
    layer, x = coupling(kind, mask, shape, rng), rng.standard_normal((3, *shape))
    _, cache = layer.forward(x)
    for one, logdet in zip(x, cache.logdet, strict=True):
        numeric = jacobian(lambda v: layer.forward(v[None])[0][0], one)
        sign, expected = np.linalg.slogdet(numeric)
        assert sign == 1
        np.testing.assert_allclose(logdet, expected, atol=1e-8)
    if kind is AffineCoupling:
        assert np.abs(cache.logdet).min() > 1e-3                # with 0 the test could not fail


@pytest.mark.parametrize("mask", MASKS)
def test_coupling_keeps_the_entries_of_its_mask(mask, rng):
    """(NICE.1), for a mask and its complement: together they keep all of x."""
    shape = (3, 4, 2) if mask in ("dark", "light") else (8,)
    layer, x = coupling(AffineCoupling, mask, shape, rng), rng.standard_normal((2, *shape))
    z, _ = layer.forward(x)
    kept = z == x
    places, (rows, columns) = np.arange(8), np.ogrid[:3, :4]
    expected = {
        "even": places % 2 == 0,
        "odd": places % 2 == 1,
        "first": places < 4,
        "second": places >= 4,
        "dark": ((rows + columns) % 2 == 0)[..., None],
        "light": ((rows + columns) % 2 == 1)[..., None],
    }[mask]
    np.testing.assert_array_equal(kept, np.broadcast_to(expected, x.shape))


def test_additive_coupling_by_hand(rng):
    """(NICE.1), (NICE.4): a linear conditioner, for which all numbers can be computed by hand."""
    net = Linear(2, 2, rng=rng, dtype=np.float64)
    layer, x, dout = AdditiveCoupling(net, "odd"), rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    z, cache = layer.forward(x)
    w = net.weight.value
    np.testing.assert_allclose(z[:, 0::2], x[:, 0::2] + x[:, 1::2] @ w, rtol=1e-12)
    dx = layer.backward(dout, cache)
    np.testing.assert_allclose(dx[:, 0::2], dout[:, 0::2], rtol=1e-12)
    np.testing.assert_allclose(dx[:, 1::2], dout[:, 1::2] + dout[:, 0::2] @ w.T, rtol=1e-12)
    np.testing.assert_allclose(net.weight.grad, x[:, 1::2].T @ dout[:, 0::2], rtol=1e-12)


def test_affine_coupling_by_hand(rng):
    """(RNVP.1), (RNVP.5), (RNVP.6), (RNVP.7): a conditioner with fixed outputs."""
    net = Linear(1, 2, rng=rng, dtype=np.float64)
    layer = AffineCoupling(net, "first", bound=1.5)
    x, dout = rng.standard_normal((2, 4, 2))
    dlogdet = rng.standard_normal(4)
    z, cache = layer.forward(x)
    t, r = x[:, 0] * net.weight.value[0, 0], x[:, 0] * net.weight.value[0, 1]
    s = 1.5 * np.tanh(r / 1.5)
    np.testing.assert_allclose(z[:, 1], x[:, 1] * np.exp(s) + t, rtol=1e-12)
    dx = layer.backward(dout, cache, dlogdet=dlogdet)
    dr = (dout[:, 1] * x[:, 1] * np.exp(s) + dlogdet) * (1 - (s / 1.5) ** 2)
    np.testing.assert_allclose(dx[:, 1], dout[:, 1] * np.exp(s), rtol=1e-12)
    np.testing.assert_allclose(dx[:, 0], dout[:, 0] + net.weight.value[0] @ [dout[:, 1], dr], rtol=1e-12)
    np.testing.assert_allclose(net.weight.grad[0], [(x[:, 0] * dout[:, 1]).sum(), (x[:, 0] * dr).sum()])


def test_affine_coupling_log_scale_is_within_its_bound(rng):
    """(RNVP.1): |s| stays below the bound for any output of the conditioner."""
    layer = AffineCoupling(dense(2, 4, rng), "even", bound=0.7)
    layer.conditioner[2].weight.value *= 1e4
    _, cache = layer.forward(rng.standard_normal((50, 4)))
    assert 1.39 < np.abs(cache.logdet).max() <= 1.4


def test_scaling_by_hand(rng):
    """(SCALE.1), (SCALE.2), (SCALE.3), (SCALE.4), (SCALE.5), logdet from the numeric Jacobian."""
    layer, x, dout = Scaling(5, dtype=np.float64), rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    s = layer.log_scale.value
    s[...] = rng.standard_normal(5)
    dlogdet = rng.standard_normal(3)
    z, cache = layer.forward(x)
    np.testing.assert_allclose(z, x * np.exp(s), rtol=1e-12)
    np.testing.assert_allclose(layer.inverse(z), x, rtol=1e-12)
    numeric = jacobian(lambda v: layer.forward(v[None])[0][0], x[0])
    np.testing.assert_allclose(cache.logdet, np.full(3, np.linalg.slogdet(numeric)[1]), atol=1e-8)
    dx = layer.backward(dout, cache, dlogdet=dlogdet)
    np.testing.assert_allclose(dx, dout * np.exp(s), rtol=1e-12)
    np.testing.assert_allclose(layer.log_scale.grad, (dout * z).sum(axis=0) + dlogdet.sum(), rtol=1e-12)


def test_squeeze_moves_each_block_into_channels(rng):
    """(SQZ.1): the channels of a pixel are the entries of its block, row by row."""
    layer, x = Squeeze(), rng.standard_normal((2, 4, 6, 3))
    z, cache = layer.forward(x)
    assert z.shape == (2, 2, 3, 12) and not cache.logdet.any()
    np.testing.assert_array_equal(z[1, 1, 2], x[1, 2:4, 4:6].ravel())
    np.testing.assert_array_equal(layer.inverse(z), x)


def additive(width, outputs, mask="odd"):
    return AdditiveCoupling(dense(width, outputs, np.random.default_rng(0)), mask)


def affine(width, outputs, mask="odd", **settings):
    return AffineCoupling(dense(width, outputs, np.random.default_rng(0)), mask, **settings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: affine(2, 4, "even").forward(np.ones((3, 1))), r"two or more entries, got shape \(3, 1\)"),
        (lambda: additive(2, 2, "even").inverse(np.ones(5)), "AdditiveCoupling expected a last axis of two"),
        (lambda: additive(2, 2, "evn"), "expected mask to be one of even, odd, .* got 'evn'"),
        (lambda: additive(2, 2, "dark").forward(np.ones((3, 4))), r"\(N, H, W, C\)"),
        (lambda: additive(2, 3, "odd").forward(np.ones((3, 4))), r"\(3, 2\), got \(3, 3\)"),
        (lambda: affine(2, 2, "odd").forward(np.ones((3, 4))), r"\(3, 4\), got \(3, 2\)"),
        (lambda: affine(2, 4, "odd", bound=0), "expected bound to be a finite number > 0, got 0"),
        (lambda: affine(2, 4, "odd", bound=math.inf), "expected bound to be a finite number > 0, got inf"),
        (lambda: Scaling(), "the shape of one example, got none"),
        (lambda: Scaling(0), "at least 1, got 0"),
        (lambda: Scaling(3).forward(np.ones((2, 4), np.float32)), r"\(N, 3\), got \(2, 4\)"),
        (lambda: Squeeze().forward(np.ones((1, 3, 4, 2))), "even height and width, got"),
        (lambda: Squeeze().inverse(np.ones((1, 2, 2, 6))), "multiple of four channels"),
    ],
)
def test_bijection_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_coupling_refuses_another_dtype_or_conditioner(rng):
    layer = AdditiveCoupling(dense(2, 2, rng), "even")
    with pytest.raises(TypeError, match="AdditiveCoupling expected dtype float64, got float32"):
        layer.forward(np.ones((3, 4), np.float32))
    with pytest.raises(TypeError, match="expected a layer as conditioner, got 3"):
        AdditiveCoupling(3, "even")
    z, cache = layer.forward(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(2,\)"):
        layer.backward(z, cache, dlogdet=np.ones(2))
