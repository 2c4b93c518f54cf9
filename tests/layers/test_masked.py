"""Masked layers: sums over the allowed connections, unchanged weights, and refused arguments."""

import numpy as np
import pytest

from scratchgen.layers import Conv2d, Linear, MaskedConv2d, MaskedLinear
from scratchgen.layers.masked import connections, raster_mask, rows_mask
from scratchgen.training.optimisers import Adam

KIND = {"dtype": np.float64}


@pytest.fixture
def mask(rng):
    return rng.random((4, 3)) < 0.5


@pytest.fixture
def layer(rng, mask):
    layer = MaskedLinear(4, 3, mask, rng=rng, **KIND)
    layer.bias.value[:] = rng.standard_normal(3)
    return layer


def test_masked_linear_equals_sums_over_allowed_connections(layer, mask, rng):
    """(MASK.1), (MASK.2), (MASK.3), as explicit sums."""
    x, dout = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    out, cache = layer.forward(x)
    dx = layer.backward(dout, cache)
    expected, dw, dx_expected = np.tile(layer.bias.value, (5, 1)), np.zeros((4, 3)), np.zeros((5, 4))
    for n in range(5):
        for i, j in np.argwhere(mask):
            expected[n, j] += x[n, i] * layer.weight.value[i, j]
            dw[i, j] += x[n, i] * dout[n, j]
            dx_expected[n, i] += dout[n, j] * layer.weight.value[i, j]
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, dw, rtol=1e-12)
    np.testing.assert_allclose(layer.bias.grad, dout.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(dx, dx_expected, rtol=1e-12)


def test_masked_linear_with_all_connections_is_linear(rng):
    full, plain = MaskedLinear(4, 3, np.ones((4, 3), bool), rng=rng, **KIND), Linear(4, 3, rng=rng, **KIND)
    plain.weight.value[...] = full.weight.value
    x, dout = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 5, 3))
    for layer in (full, plain):
        out, cache = layer.forward(x)
        layer.dx = layer.backward(dout, cache)
        layer.out = out
    np.testing.assert_array_equal(full.out, plain.out)
    np.testing.assert_array_equal(full.dx, plain.dx)
    np.testing.assert_array_equal(full.weight.grad, plain.weight.grad)


def test_masked_linear_accepts_another_mask_for_one_call(layer, mask, rng):
    x, dout = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    first, cache = layer.forward(x, mask=~mask)
    second, _ = layer.forward(x)
    np.testing.assert_allclose(first + second - layer.bias.value, Linear.forward(layer, x)[0], rtol=1e-12)
    layer.backward(dout, cache)             # the cache contains the mask that forward used
    assert (layer.weight.grad[mask] == 0).all() and (layer.weight.grad[~mask] != 0).all()


@pytest.mark.parametrize("form", ["linear", "convolution"])
def test_masked_weights_are_changed_by_neither_mask_nor_optimiser(form, rng):
    mask = raster_mask((3, 3), centre=False)
    if form == "linear":
        layer, x, hidden = MaskedLinear(3, 3, mask, rng=rng, **KIND), rng.standard_normal((5, 3)), ~mask
    else:
        layer, x = MaskedConv2d(2, 3, mask, padding=1, rng=rng, **KIND), rng.standard_normal((2, 5, 4, 2))
        hidden = ~mask
    before = layer.weight.value.copy()
    optimizer = Adam(layer.parameters(), 0.1)
    for _ in range(3):
        out, cache = layer.forward(x)
        layer.backward(rng.standard_normal(out.shape), cache)
        optimizer.step()
    assert (before[hidden] != 0).all()
    np.testing.assert_array_equal(layer.weight.value[hidden], before[hidden])
    assert (layer.weight.value[mask] != before[mask]).all()


def test_masked_convolution_is_the_convolution_of_the_masked_weight(rng):
    """(MASK.4), (MASK.5), (MASK.6) against Conv2d, whose weights outside the mask are set to 0."""
    mask = np.array([[1, 0], [1, 1], [0, 1]]) > 0
    shape = {"stride": (2, 1), "padding": (1, 0), "rng": rng}
    layer, plain = MaskedConv2d(2, 3, mask, **shape, **KIND), Conv2d(2, 3, (3, 2), **shape, **KIND)
    plain.weight.value[...] = layer.weight.value * mask[:, :, None, None]
    layer.bias.value[:] = plain.bias.value[:] = rng.standard_normal(3)
    x = rng.standard_normal((2, 6, 5, 2))
    (out, cache), (expected, plain_cache) = layer.forward(x), plain.forward(x)
    dout = rng.standard_normal(out.shape)
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    np.testing.assert_allclose(layer.backward(dout, cache), plain.backward(dout, plain_cache), rtol=1e-12)
    np.testing.assert_allclose(layer.weight.grad[mask], plain.weight.grad[mask], rtol=1e-12)
    assert (layer.weight.grad[~mask] == 0).all() and (plain.weight.grad[~mask] != 0).any()
    np.testing.assert_allclose(layer.bias.grad, plain.bias.grad, rtol=1e-12)


def test_raster_mask_and_rows_mask_entry_by_entry():
    assert raster_mask((3, 3), centre=False).astype(int).tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert raster_mask((3, 3), centre=True).astype(int).tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    assert raster_mask((1, 5), centre=False).astype(int).tolist() == [[1, 1, 0, 0, 0]]
    assert rows_mask((3, 5), centre=False).astype(int).tolist() == [[1] * 5, [0] * 5, [0] * 5]
    assert rows_mask((3, 5), centre=True).astype(int).tolist() == [[1] * 5, [1] * 5, [0] * 5]


def test_masked_layers_show_the_number_of_connections(rng):
    assert "connections=3" in repr(MaskedLinear(3, 2, np.arange(6).reshape(3, 2) < 3, rng=rng))
    assert "taps=4 of 9" in repr(MaskedConv2d(1, 2, raster_mask((3, 3), centre=False), rng=rng))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda g: MaskedLinear(4, 3, np.ones((3, 4), bool), rng=g), ValueError, r"\(4, 3\), got \(3, 4\)"),
        (lambda g: MaskedLinear(4, 3, np.ones((4, 3)), rng=g), TypeError, "got dtype float64; .* >"),
        (lambda g: MaskedLinear(4, 3, [[True]], rng=g), TypeError, "mask of bools, got list"),
        (lambda g: MaskedConv2d(1, 1, np.ones((3, 3)), rng=g), TypeError, "MaskedConv2d .* dtype float64"),
        (lambda g: MaskedConv2d(1, 1, np.ones(3, bool), rng=g), ValueError, r"\(KH, KW\), got \(3,\)"),
        (lambda g: raster_mask((2, 3), centre=True), ValueError, r"odd height and width, got \(2, 3\)"),
        (lambda g: rows_mask((3, 4), centre=True), ValueError, r"odd height and width, got \(3, 4\)"),
    ],
)
def test_masked_layer_refuses_a_bad_mask(rng, call, error, message):
    with pytest.raises(error, match=message):
        call(rng)


def test_masked_layer_refuses_bad_input(layer, mask, rng):
    x = rng.standard_normal((5, 4))
    with pytest.raises(ValueError, match=r"MaskedLinear expected input of shape \(N, 4\), got \(5, 3\)"):
        layer.forward(x[:, :3])
    with pytest.raises(ValueError, match=r"a mask of shape \(4, 3\), got \(3, 4\)"):
        layer.forward(x, mask=mask.T)
    with pytest.raises(ValueError, match=r"a gradient or tangent of shape \(5, 3\), got \(4, 3\)"):
        layer.backward(np.ones((4, 3)), layer.forward(x)[1])
    conv = MaskedConv2d(2, 3, raster_mask((3, 3), centre=True), rng=rng, **KIND)
    with pytest.raises(ValueError, match=r"MaskedConv2d expected images of shape \(N, H, W, 2\), got"):
        conv.forward(np.zeros((1, 5, 5, 3)))
    with pytest.raises(TypeError, match="MaskedConv2d expected dtype float64, got float32"):
        conv.forward(np.zeros((1, 5, 5, 2), np.float32))


def test_masked_linear_accepts_prepared_connections(rng):
    layer = MaskedLinear(4, 70, rng.random((4, 70)) < 0.5, rng=rng)
    x, mask = rng.normal(size=(3, 4)).astype(np.float32), rng.random((4, 70)) < 0.5
    expected, _ = layer.forward(x, mask=mask)
    np.testing.assert_array_equal(layer.forward(x, mask=connections(mask))[0], expected)
    with pytest.raises(ValueError, match=r"mask of shape \(4, 70\), got \(70, 4\)"):
        layer.forward(x, mask=connections(mask.T))
