"""Pooling compared with explicit loops; ties, padding and NaN."""

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.layers import AvgPool2d, MaxPool2d

GEOMETRIES = [  # image, kernel, stride, padding
    ((6, 5), (2, 2), (2, 2), (0, 0)),
    ((5, 7), (3, 2), (2, 1), (1, 1)),
    ((7, 6), (4, 3), (1, 3), (2, 0)),
    ((3, 4), (1, 2), (2, 3), (0, 1)),
]


def windows(shape, kernel, stride, padding):
    """Each output pixel (i, j), with the list of the pixels (h, w) of its window that are in the image."""
    height, width = shape
    for i in range((height + 2 * padding[0] - kernel[0]) // stride[0] + 1):
        for j in range((width + 2 * padding[1] - kernel[1]) // stride[1] + 1):
            hs = [i * stride[0] - padding[0] + u for u in range(kernel[0])]
            ws = [j * stride[1] - padding[1] + v for v in range(kernel[1])]
            yield i, j, [(h, w) for h in hs for w in ws if 0 <= h < height and 0 <= w < width]


@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), GEOMETRIES)
def test_max_pool_equals_loops(backend, rng, image, kernel, stride, padding):
    """(MAXP.1, MAXP.2). The values are small integers, so there are many ties."""
    x = rng.integers(-3, 3, (2, *image, 3)).astype(float)
    layer = MaxPool2d(kernel, stride, padding)
    out, cache = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    expected, dx = np.full(out.shape, np.nan), np.zeros(x.shape)
    for i, j, cells in windows(image, kernel, stride, padding):
        for n, c in np.ndindex(2, 3):
            first = max(cells, key=lambda cell: x[n, *cell, c])  # max returns the first of equal values
            expected[n, i, j, c] = x[n, *first, c]
            dx[n, *first, c] += dout[n, i, j, c]
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_allclose(layer.backward(dout, cache), dx, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), GEOMETRIES)
def test_avg_pool_equals_loops(backend, rng, image, kernel, stride, padding):
    """(AVGP.1, AVGP.2). Padded cells count."""
    x = rng.standard_normal((2, *image, 3))
    layer = AvgPool2d(kernel, stride, padding)
    out, cache = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    expected, dx = np.full(out.shape, np.nan), np.zeros(x.shape)
    for i, j, cells in windows(image, kernel, stride, padding):
        expected[:, i, j] = sum(x[:, h, w] for h, w in cells) / (kernel[0] * kernel[1])
        for h, w in cells:
            dx[:, h, w] += dout[:, i, j] / (kernel[0] * kernel[1])
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(layer.backward(dout, cache), dx, rtol=1e-12, atol=1e-13)


def test_max_pool_gradient_of_ties_goes_to_the_first(backend):
    layer = MaxPool2d(2)
    _, cache = layer.forward(np.ones((1, 2, 4, 1)))
    dx = layer.backward(np.array([3.0, 5]).reshape(1, 1, 2, 1), cache)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[3, 0, 5, 0], [0, 0, 0, 0]])


def test_max_pool_padding_is_never_the_maximum(backend):
    layer = MaxPool2d(2, padding=1)
    out, cache = layer.forward(np.full((1, 2, 2, 1), -np.inf))
    np.testing.assert_array_equal(out, np.full((1, 2, 2, 1), -np.inf))
    np.testing.assert_array_equal(layer.backward(np.ones_like(out), cache), np.ones((1, 2, 2, 1)))


def test_max_pool_keeps_nan(backend):
    """A NaN is kept both at the start and at the end of the window. The first NaN gets the gradient."""
    x = np.array([[np.nan, 1, 2, np.nan], [3, np.nan, 7, 5]]).reshape(1, 2, 4, 1)
    layer = MaxPool2d(2)
    out, cache = layer.forward(x)
    assert np.isnan(out).all()
    dx = layer.backward(np.array([1.0, 2]).reshape(1, 1, 2, 1), cache)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 0, 0, 2], [0, 0, 0, 0]])


def test_avg_pool_keeps_nan(backend):
    x = np.zeros((1, 2, 4, 1))
    x[0, 1, 2] = np.nan
    out, _ = AvgPool2d(2).forward(x)
    np.testing.assert_array_equal(np.isnan(out).ravel(), [False, True])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", [MaxPool2d((3, 2), (2, 1), 1), AvgPool2d((3, 2), (2, 1), 1)], ids=repr)
def test_pool_kernels_agree(rng, layer, dtype):
    x = rng.integers(-3, 3, (3, 6, 7, 5)).astype(dtype)
    results = []
    for name in kernels.BACKENDS:
        with kernels.use(name):
            out, cache = layer.forward(x)
            results.append((out, layer.backward(np.cos(out), cache)))
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_pool_default_stride_is_the_kernel_size():
    assert repr(MaxPool2d((3, 2))) == "MaxPool2d(kernel_size=(3, 2), stride=(3, 2), padding=(0, 0))"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MaxPool2d(0), ValueError, "MaxPool2d expected kernel_size to be .* ints >= 1"),
        (lambda: AvgPool2d(2, stride=0), ValueError, "AvgPool2d expected stride to be .* ints >= 1"),
        (lambda: AvgPool2d("2"), TypeError, "AvgPool2d expected kernel_size to be an int .* got '2'"),
        (lambda: MaxPool2d((4, 3), padding=2), ValueError, r"at most half the kernel \(4, 3\), got \(2, 2\)"),
        (lambda: MaxPool2d(3).forward(np.zeros((2, 5))), ValueError, r"4 axes, got shape \(2, 5\)"),
        (
            lambda: MaxPool2d(3).forward(np.zeros((1, 2, 9, 1))),
            ValueError,
            "MaxPool2d expected images of at least 3x3 after padding, got 2x9, which is 2x9 after padding",
        ),
        (lambda: AvgPool2d(1).forward(np.zeros((1, 2, 2, 1), int)), TypeError, "AvgPool2d expected dtype"),
    ],
)
def test_pool_error_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
