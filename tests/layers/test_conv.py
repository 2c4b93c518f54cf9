"""Convolution and its transpose compared with explicit loops over all products."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import kernels
from scratchgen.kernels import conv as patches
from scratchgen.layers import Conv2d, ConvTranspose2d
from scratchgen.layers.conv import col2im, im2col

# image height and width, kernel, stride, padding
GEOMETRIES = [
    ((5, 7), (3, 2), (1, 1), (0, 0)),
    ((6, 5), (4, 3), (2, 1), (1, 2)),
    ((7, 6), (2, 3), (3, 2), (0, 1)),   # strides skip rows and columns at the edge
    ((4, 5), (1, 1), (1, 1), (0, 0)),
    ((5, 6), (3, 2), (1, 1), (2, 1)),   # stride 1 with all the padding that the opposite direction allows
    ((5, 8), (2, 2), (4, 3), (1, 0)),   # the stride jumps over pixels
    ((2, 3), (4, 5), (1, 2), (2, 3)),   # the kernel is larger than the image, padding is wider than it
    ((3, 4), (2, 3), (1, 1), (1, 3)),   # stride 1 with a padding that is as wide as the kernel
]
CHANNELS = [(2, 3), (3, 2)]             # with fewer output channels, patches of the output are made


def terms(x_shape, out_size, kernel, stride, padding):
    """Every product of a convolution: output pixel (n, i, j), kernel cell (u, v), input pixel (h, w)."""
    n_images, height, width, _ = x_shape
    for n, i, j in np.ndindex(n_images, *out_size):
        for u, v in np.ndindex(*kernel):
            h, w = i * stride[0] - padding[0] + u, j * stride[1] - padding[1] + v
            if 0 <= h < height and 0 <= w < width:
                yield n, i, j, u, v, h, w


def conv_by_loops(x, weight, size, stride, padding):
    out = np.zeros((len(x), *size, weight.shape[3]))
    for n, i, j, u, v, h, w in terms(x.shape, size, weight.shape[:2], stride, padding):
        for c, m in np.ndindex(weight.shape[2:]):
            out[n, i, j, m] += x[n, h, w, c] * weight[u, v, c, m]
    return out


def conv_gradients_by_loops(x, weight, dout, stride, padding):
    """Each product x·weight adds dout·weight to the gradient of x and dout·x to that of the weight."""
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for n, i, j, u, v, h, w in terms(x.shape, dout.shape[1:3], weight.shape[:2], stride, padding):
        for c, m in np.ndindex(weight.shape[2:]):
            dx[n, h, w, c] += dout[n, i, j, m] * weight[u, v, c, m]
            dweight[u, v, c, m] += dout[n, i, j, m] * x[n, h, w, c]
    return dx, dweight


def transpose_by_loops(x, weight, size, stride, padding):
    """Every pixel of x adds weight·pixel where the kernel is."""
    out = np.zeros((len(x), *size, weight.shape[3]))
    for n, i, j, u, v, h, w in terms(out.shape, x.shape[1:3], weight.shape[:2], stride, padding):
        for c, m in np.ndindex(weight.shape[2:]):
            out[n, h, w, m] += x[n, i, j, c] * weight[u, v, c, m]
    return out


def transpose_gradients_by_loops(x, weight, dout, stride, padding):
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for n, i, j, u, v, h, w in terms(dout.shape, x.shape[1:3], weight.shape[:2], stride, padding):
        for c, m in np.ndindex(weight.shape[2:]):
            dx[n, i, j, c] += dout[n, h, w, m] * weight[u, v, c, m]
            dweight[u, v, c, m] += dout[n, h, w, m] * x[n, i, j, c]
    return dx, dweight


def size_by_counting(image, kernel, stride, padding):
    """The number of window positions, counted."""
    return tuple(
        sum(1 for start in range(-p, n + p, s) if start + k <= n + p)
        for n, k, s, p in zip(image, kernel, stride, padding, strict=True)
    )


def with_random_bias(layer, rng):
    layer.bias.value[...] = rng.standard_normal(layer.bias.shape)
    return layer


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), GEOMETRIES)
def test_conv_forward_equals_loops(backend, rng, image, kernel, stride, padding, channels):
    """(CONV.2) and the output's size."""
    layer = with_random_bias(Conv2d(*channels, kernel, stride, padding, rng=rng, dtype=np.float64), rng)
    x = rng.standard_normal((2, *image, channels[0]))
    out, _ = layer.forward(x)
    size = size_by_counting(image, kernel, stride, padding)
    expected = conv_by_loops(x, layer.weight.value, size, stride, padding) + layer.bias.value
    assert out.shape == expected.shape
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), GEOMETRIES)
def test_conv_gradients_equal_loops(backend, rng, image, kernel, stride, padding, channels):
    """(CONV.3) dW, (CONV.4) db, and (CONV.5, CONV.6) together, dx."""
    layer = with_random_bias(Conv2d(*channels, kernel, stride, padding, rng=rng, dtype=np.float64), rng)
    x = rng.standard_normal((2, *image, channels[0]))
    out, cache = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    dx, dweight = conv_gradients_by_loops(x, layer.weight.value, dout, stride, padding)
    np.testing.assert_allclose(layer.backward(dout, cache), dx, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, dweight, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.bias.grad, np.einsum("nijm->m", dout), rtol=1e-12)


@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), GEOMETRIES)
def test_im2col_copies_and_col2im_adds_back(backend, rng, image, kernel, stride, padding):
    """(CONV.1) entry by entry, and (CONV.6) as its transpose."""
    x = rng.standard_normal((2, *image, 3))
    size = size_by_counting(image, kernel, stride, padding)
    cols = im2col(x, kernel, stride, padding)
    expected, dx = np.zeros(cols.shape), np.zeros(x.shape)
    dcols = rng.standard_normal(cols.shape)
    for n, i, j, u, v, h, w in terms(x.shape, size, kernel, stride, padding):
        expected[n, i, j, u, v] = x[n, h, w]
        dx[n, h, w] += dcols[n, i, j, u, v]
    np.testing.assert_array_equal(cols, expected)
    back = col2im(dcols, image, stride, padding)
    np.testing.assert_allclose(back, dx, rtol=1e-13, atol=1e-13)


def test_conv_backward_is_two_steps_through_the_patches(backend, rng):
    """(CONV.5) dcols = dout·Wᵀ. The kernel has one position, so that no entries overlap in (CONV.6)."""
    layer = Conv2d(2, 3, (3, 4), rng=rng, dtype=np.float64)
    x = rng.standard_normal((5, 3, 4, 2))
    out, cache = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    expected = np.einsum("nm,uvcm->nuvc", dout[:, 0, 0], layer.weight.value)
    np.testing.assert_allclose(layer.backward(dout, cache), expected, rtol=1e-12)


def test_conv_by_hand(backend, rng):
    """A 2x2 kernel on a 3x3 image: 1·1 + 2·2 + 4·3 + 5·4 = 37, and so on."""
    layer = Conv2d(1, 1, 2, rng=rng, dtype=np.float64)
    layer.weight.value[...] = np.array([[1.0, 2], [3, 4]]).reshape(2, 2, 1, 1)
    layer.bias.value[...] = 0.5
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    out, cache = layer.forward(x)
    np.testing.assert_array_equal(out[0, :, :, 0], [[37.5, 47.5], [67.5, 77.5]])
    dx = layer.backward(np.array([[1.0, 0], [0, 10]]).reshape(1, 2, 2, 1), cache)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 2, 0], [3, 14, 20], [0, 30, 40]])
    np.testing.assert_array_equal(layer.weight.grad[:, :, 0, 0], [[51, 62], [84, 95]])


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), GEOMETRIES[:-2])
def test_transpose_equals_loops(backend, rng, image, kernel, stride, padding, channels):
    """(CONVT.1, CONVT.2) forward; (CONVT.3, CONVT.6) dx, (CONVT.4) dV, (CONVT.5) db; every output padding."""
    for extra in itertools.product(range(stride[0]), range(stride[1])):
        args = (*channels, kernel, stride, padding, extra)
        layer = with_random_bias(ConvTranspose2d(*args, rng=rng, dtype=np.float64), rng)
        x = rng.standard_normal((2, *image, channels[0]))
        out, cache = layer.forward(x)
        for a, (k, s, p, e) in enumerate(zip(kernel, stride, padding, extra, strict=True)):
            assert out.shape[1 + a] == (image[a] - 1) * s - 2 * p + k + e
        expected = transpose_by_loops(x, layer.weight.value, out.shape[1:3], stride, padding)
        np.testing.assert_allclose(out, expected + layer.bias.value, rtol=1e-12, atol=1e-12)
        dout = rng.standard_normal(out.shape)
        dx, dweight = transpose_gradients_by_loops(x, layer.weight.value, dout, stride, padding)
        np.testing.assert_allclose(layer.backward(dout, cache), dx, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(layer.weight.grad, dweight, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(layer.bias.grad, np.einsum("nijm->m", dout), rtol=1e-12, atol=1e-13)


def test_transpose_by_hand(backend, rng):
    """Two pixels, stride 1: patches (1, 2, 3) and 10·(1, 2, 3) overlap in two cells."""
    layer = ConvTranspose2d(1, 1, (1, 3), bias=False, rng=rng, dtype=np.float64)
    layer.weight.value[...] = np.array([1.0, 2, 3]).reshape(1, 3, 1, 1)
    out, _ = layer.forward(np.array([1.0, 10]).reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(out.ravel(), [1, 12, 23, 30])


geometry = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 4))


@given(geometry, geometry, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_transpose_is_the_adjoint_of_conv(vertical, horizontal, n, c_in, c_out, seed):
    """<Conv(x), y> = <x, ConvT(y)> with swapped channels, and both functions agree with the loops."""
    (kernel, stride, padding), image = list(zip(vertical, horizontal, strict=True))[:3], []
    for k, _, p, more in (vertical, horizontal):
        image.append(max(1, k - 2 * p) + more)
    rng = np.random.default_rng(seed)
    size = size_by_counting(image, kernel, stride, padding)
    extra = tuple((i + 2 * p - k) % s for i, k, s, p in zip(image, kernel, stride, padding, strict=True))
    layer = Conv2d(c_in, c_out, kernel, stride, padding, bias=False, rng=rng, dtype=np.float64)
    transpose = ConvTranspose2d(
        c_out, c_in, kernel, stride, padding, extra, bias=False, rng=rng, dtype=np.float64
    )
    transpose.weight.value[...] = layer.weight.value.transpose(0, 1, 3, 2)
    x, y = rng.standard_normal((n, *image, c_in)), rng.standard_normal((n, *size, c_out))
    expected = conv_by_loops(x, layer.weight.value, size, stride, padding)
    for name in kernels.BACKENDS:
        with kernels.use(name):
            out, cache = layer.forward(x)
            back, _ = transpose.forward(y)
            dx = layer.backward(y, cache)
        np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(np.vdot(out, y), np.vdot(x, back), rtol=1e-11, atol=1e-11)
        if name == "jit":   # the readable functions pass BLAS weights in different layouts
            np.testing.assert_array_equal(back, dx)
        np.testing.assert_allclose(back, dx, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("layer_class", [Conv2d, ConvTranspose2d])
def test_conv_does_not_depend_on_the_block_size(backend, rng, monkeypatch, layer_class):
    """Blocks of one, three or all of the seven examples give the same result."""
    layer = layer_class(2, 3, 3, 2, 1, rng=rng, dtype=np.float64)
    x = rng.standard_normal((7, 5, 6, 2))
    results = []
    for scratch_bytes in (1, 3 * 9 * 9 * 3 * 3 * 8, 1 << 24):
        monkeypatch.setattr(patches, "SCRATCH_BYTES", scratch_bytes)
        out, cache = layer.forward(x)
        layer.zero_grad()
        dx = layer.backward(np.cos(out), cache)
        results.append((out, dx, layer.weight.grad.copy()))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer_class", [Conv2d, ConvTranspose2d])
def test_conv_accepts_non_contiguous_images(backend, rng, layer_class):
    layer = layer_class(2, 3, 2, rng=rng, dtype=np.float64)
    x = rng.standard_normal((2, 3, 5, 4)).transpose(0, 3, 2, 1)[..., ::2]
    out, cache = layer.forward(x)
    same, _ = layer.forward(x.copy())
    np.testing.assert_array_equal(out, same)
    dout = rng.standard_normal(out.shape[::-1]).transpose(3, 2, 1, 0)
    np.testing.assert_array_equal(layer.backward(dout, cache), layer.backward(dout.copy(), cache))


@pytest.mark.parametrize("layer_class", [Conv2d, ConvTranspose2d])
def test_conv_without_bias_and_without_examples(backend, rng, layer_class):
    layer = layer_class(2, 3, (3, 2), bias=False, rng=rng)
    assert list(layer.parameters()) == ["weight"] and layer.weight.shape == (3, 2, 2, 3)
    out, cache = layer.forward(np.empty((0, 5, 5, 2), np.float32))
    assert len(out) == 0 and layer.backward(out, cache).shape == (0, 5, 5, 2)


def test_conv_passes_the_fans_to_init(rng):
    seen = []

    def init(shape, fan_in, fan_out, *, rng, dtype):
        seen.append((shape, fan_in, fan_out))
        return np.zeros(shape, dtype)

    Conv2d(2, 5, (3, 4), rng=rng, init=init)
    ConvTranspose2d(2, 5, (3, 4), rng=rng, init=init)
    assert seen == [((3, 4, 2, 5), 24, 60)] * 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda r: Conv2d(0, 3, 2, rng=r), ValueError, "Conv2d expected in_channels of at least 1, got 0"),
        (lambda r: Conv2d(1, 3, 0, rng=r), ValueError, "Conv2d expected kernel_size .* >= 1, got 0"),
        (lambda r: Conv2d(1, 3, 2, (1, 0), rng=r), ValueError, r"Conv2d expected stride .* got \(1, 0\)"),
        (lambda r: Conv2d(1, 3, 2, 1, -1, rng=r), ValueError, "Conv2d expected padding .* >= 0, got -1"),
        (lambda r: Conv2d(1, 3, (2, 2, 2), rng=r), ValueError, r"a pair of ints >= 1, got \(2, 2, 2\)"),
        (lambda r: Conv2d(1, 3, 2.5, rng=r), TypeError, "kernel_size to be an int or a pair.*, got 2.5"),
        (
            lambda r: ConvTranspose2d(1, 3, 2, (2, 3), 0, (1, 3), rng=r),
            ValueError,
            r"ConvTranspose2d expected output_padding below the stride \(2, 3\), got \(1, 3\)",
        ),
        (
            lambda r: Conv2d(1, 3, (2, 6), padding=1, rng=r).forward(np.zeros((1, 5, 3, 1), np.float32)),
            ValueError,
            "Conv2d expected images of at least 2x6 after padding, got 5x3, which is 7x5 after padding",
        ),
        (
            lambda r: ConvTranspose2d(1, 3, 2, 1, 2, rng=r).forward(np.zeros((1, 3, 9, 1), np.float32)),
            ValueError,
            "expected images with an output of at least one pixel, got 3x9, which would become 0x6",
        ),
        (
            lambda r: Conv2d(1, 3, 2, rng=r).forward(np.zeros((1, 5, 5, 2), np.float32)),
            ValueError,
            r"Conv2d expected images of shape \(N, H, W, 1\), got \(1, 5, 5, 2\)",
        ),
        (
            lambda r: Conv2d(1, 3, 2, rng=r).forward(np.zeros((1, 5, 5, 1))),
            TypeError,
            "Conv2d expected dtype float32, got float64",
        ),
    ],
)
def test_conv_error_messages(rng, call, error, message):
    with pytest.raises(error, match=message):
        call(rng)


@pytest.mark.parametrize("layer_class", [Conv2d, ConvTranspose2d])
def test_conv_trains_a_weight_that_init_returned_in_fortran_order(rng, backend, layer_class):
    """A reshaped gradient in Fortran order would be a copy, and additions to it would be lost."""
    def fortran(shape, fan_in, fan_out, *, rng, dtype):
        return np.asfortranarray(rng.standard_normal(shape), dtype)

    layer = layer_class(2, 3, (3, 2), rng=rng, dtype=np.float64, init=fortran)
    plain = layer_class(2, 3, (3, 2), rng=rng, dtype=np.float64)
    plain.weight.value[...] = layer.weight.value
    x = rng.standard_normal((2, 5, 4, 2))
    out, cache = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    layer.backward(dout, cache)
    plain.backward(dout, plain.forward(x)[1])
    assert layer.weight.grad.all()
    np.testing.assert_array_equal(layer.weight.grad, plain.weight.grad)
