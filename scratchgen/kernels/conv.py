"""Twins of layers/conv.py. Patches are made for a few examples at a time; threads divide the examples.

Both convolutions consist of three kinds of product with patches:

    _correlate        cols·W            conv2d, conv_transpose2d_input_grad
    _patch_product    colsᵀ·dout        both weight gradients
    _scatter          x·Vᵀ, added up    conv_transpose2d, conv2d_input_grad

Pointwise convolutions (1x1, stride 1) need no patches: every pixel is one.
A convolution of stride 1 is also the transpose of a convolution, with a flipped kernel: out[i] is the sum of
x[i − p + u]·W[u] over u, so x[q] adds x[q]·W[k − 1 − v] to out[q − p' + v], with v = k − 1 − u and padding
p' = k − 1 − p. So patches can be made of either image. If there are fewer channels on the side of the output,
all three products use patches of the output (Conv2d(96, 32, 3, padding=1) on 128 images of 14x14, forward and
backward, on one core: 23.7 ms; with patches of the input 31.6 ms).

In NHWC the KW pixels under one kernel row are adjacent in memory, with all their channels, so the innermost
loop copies or adds up to KW·C numbers. `first` and `last` are the columns of the kernel that are inside the
image. The pixels are sliced before the loop. An index like `left * channels + k` could be negative, and Numba
would check that for every number (im2col of 64 examples 14x14x64, kernel 4x4, stride 2: 3.0 ms; with slices
0.6 ms).
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.native import keep
from scratchgen.kernels.panels import multiply_packed, product
from scratchgen.kernels.parts import share
from scratchgen.kernels.plans import WORK
from scratchgen.kernels.products import code, matmul, packed
from scratchgen.kernels.shapes import expect_places, expects, window_places
from scratchgen.kernels.tiles import size_of

# Patches are made for a few examples at a time, in scratch memory of this size in bytes, which fits into the
# CPU's cache. backward makes the patches again. Times of forward and backward of Conv2d(64, 128, 4, stride=2,
# padding=1) on 64 float32 images of 14x14, on one core:
#
#     the three matrix products alone                                         22.3 ms
#     this code                                                               23.5 ms
#     the whole matrix of patches (12.8 MB), made in forward and backward     26.4 ms
#     the whole matrix, made once and kept in the cache of the layer          30.8 ms
#
# Keeping the matrix is slow because new memory costs more than making the patches (0.6 ms). It is faster only
# for images with one channel: Conv2d(1, 64, 4, stride=2, padding=1) on 28x28 takes 1.35 ms instead of 1.6 ms.
SCRATCH_BYTES = 2 << 20

GROUPS = 8                      # of examples, each with a gradient of the weight that is then added
LARGE = 1 << 18                 # numbers of a weight; if there are more, there are no groups
LARGE_SCRATCH = 16 << 20        # bytes

Pair = tuple[int, int]


@expects(x="n h w c")
def im2col(x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    places = window_places("im2col", x.shape[1:3], kernel, stride, padding)
    cols = np.empty((len(x), *places, *kernel, x.shape[3]), x.dtype)
    share(_im2col, (np.ascontiguousarray(x), cols), (stride, padding), each=cols[:1].size)
    return cols


@expects(cols="n oh ow kh kw c")
def col2im(cols: np.ndarray, size: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    expect_places("col2im", cols.shape[1:3], size, cols.shape[3:5], stride, padding)
    x = np.empty((len(cols), *size, cols.shape[5]), cols.dtype)
    share(_col2im, (np.ascontiguousarray(cols), x), (stride, padding), each=cols[:1].size)
    return x


@expects(x="n h w c", weight="kh kw c m", bias="m ?")
def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, stride: Pair, padding: Pair
) -> np.ndarray:
    places = window_places("conv2d", x.shape[1:3], weight.shape[:2], stride, padding)
    return _convolved(x, weight, bias, places, stride, padding)


@expects(dout="n oh ow m", x="n h w c")
def conv2d_weight_grad(
    dout: np.ndarray, x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    expect_places("conv2d_weight_grad", dout.shape[1:3], x.shape[1:3], kernel, stride, padding)
    return _weight_grad(dout, x, kernel, stride, padding)


@expects(dout="n oh ow m", weight="kh kw c m")
def conv2d_input_grad(
    dout: np.ndarray, weight: np.ndarray, size: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    expect_places("conv2d_input_grad", dout.shape[1:3], size, weight.shape[:2], stride, padding)
    return _transpose_convolved(dout, weight, None, size, stride, padding)


# A transposed convolution computes the input gradient of the Conv2d whose weight has swapped channels.

@expects(x="n h w c", weight="kh kw c m", bias="m ?")
def conv_transpose2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, size: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    expect_places("conv_transpose2d", x.shape[1:3], size, weight.shape[:2], stride, padding)
    return _transpose_convolved(x, weight.swapaxes(2, 3), bias, size, stride, padding)


@expects(dout="n oh ow m", x="n h w c")
def conv_transpose2d_weight_grad(
    dout: np.ndarray, x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    expect_places("conv_transpose2d_weight_grad", x.shape[1:3], dout.shape[1:3], kernel, stride, padding)
    return _weight_grad(x, dout, kernel, stride, padding).swapaxes(2, 3)


@expects(dout="n oh ow m", weight="kh kw c m")
def conv_transpose2d_input_grad(
    dout: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair
) -> np.ndarray:
    places = window_places("conv_transpose2d_input_grad", dout.shape[1:3], weight.shape[:2], stride, padding)
    return _convolved(dout, weight.swapaxes(2, 3), None, places, stride, padding)


def _convolved(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, places: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """(CONV.2): x (N, H, W, C) -> (N, *places, M)."""
    x, kernel, (inputs, outputs) = np.ascontiguousarray(x), weight.shape[:2], weight.shape[2:]
    out = np.empty((len(x), *places, outputs), x.dtype)
    if _patches_of_output(kernel, inputs, outputs, stride, padding):
        matrix = _flipped(weight).transpose(2, 0, 1, 3).reshape(inputs, -1)         # (C, KH·KW·M)
        _scatter(x, matrix, kernel, stride, _opposite(kernel, padding), out, bias)
    else:
        _correlate(x, _rows(weight), kernel, stride, padding, out, bias)
    return out


def _weight_grad(dout: np.ndarray, x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    """(CONV.3), (KH, KW, C, M)."""
    x, dout, inputs, outputs = np.ascontiguousarray(x), np.ascontiguousarray(dout), x.shape[3], dout.shape[3]
    if _patches_of_output(kernel, inputs, outputs, stride, padding):
        product = _patch_product(dout, x, kernel, stride, _opposite(kernel, padding))
        return _flipped(product.reshape(*kernel, outputs, inputs)).swapaxes(2, 3)
    return _patch_product(x, dout, kernel, stride, padding).reshape(*kernel, inputs, outputs)


def _transpose_convolved(
    dout: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, size: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """(CONV.6) of (CONV.5), plus a bias: dout (N, OH, OW, M) -> (N, *size, C)."""
    dout, kernel, (inputs, outputs) = np.ascontiguousarray(dout), weight.shape[:2], weight.shape[2:]
    dx = np.empty((len(dout), *size, inputs), dout.dtype)
    if _patches_of_output(kernel, inputs, outputs, stride, padding):
        matrix = _rows(_flipped(weight).swapaxes(2, 3))                             # (KH·KW·M, C)
        _correlate(dout, matrix, kernel, stride, _opposite(kernel, padding), dx, bias)
    else:
        _scatter(dout, _rows(weight).T, kernel, stride, padding, dx, bias)
    return dx


def _patches_of_output(kernel: Pair, inputs: int, outputs: int, stride: Pair, padding: Pair) -> bool:
    """Whether the stride is 1 and patches of the output have fewer channels than those of the input.

    With a padding of the whole kernel or more, there are no such patches, because p' would be negative.
    """
    return stride == (1, 1) and padding[0] < kernel[0] and padding[1] < kernel[1] and outputs < inputs


def _opposite(kernel: Pair, padding: Pair) -> Pair:
    """p', the padding of a convolution of stride 1 in the opposite direction."""
    return kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1]


def _flipped(weight: np.ndarray) -> np.ndarray:
    """The weight with its kernel upside down and reversed."""
    return weight[::-1, ::-1]


def _rows(a: np.ndarray) -> np.ndarray:
    """Join all axes but the last: images become (N·H·W, C), a weight becomes a matrix."""
    return a.reshape(-1, a.shape[-1])


def _correlate(
    image: np.ndarray,
    matrix: np.ndarray,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    out: np.ndarray,
    bias: np.ndarray | None = None,
) -> None:
    """out = cols·matrix + bias: image (N, H, W, C), matrix (KH·KW·C, M), bias (M,), out (N, OH, OW, M)."""
    panels = packed(matrix)
    settings = (code(image.dtype), panels.address, kernel, stride, padding, _bias(bias, image))
    share(_correlate_images, (image, out), settings, entries=_step(out, matrix, image))


def _patch_product(
    image: np.ndarray, dout: np.ndarray, kernel: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """colsᵀ·dout, (KH·KW·C, M): image (N, H, W, C), dout (N, OH, OW, M).

    Groups of examples have a sum each, if these sums take little memory. Otherwise the threads share the
    product of a few examples after the other.
    """
    n, m, depth = len(image), dout.shape[3], kernel[0] * kernel[1] * image.shape[3]
    pixels = dout.shape[1] * dout.shape[2]
    if depth * m > LARGE:
        total = np.zeros((depth, m), image.dtype)
        step = max(1, LARGE_SCRATCH // max(1, pixels * depth * image.itemsize))
        for start in range(0, n, step):
            part = slice(start, start + step)
            cols = image[part]
            if not _is_pointwise(kernel, stride, padding):
                cols = im2col(cols, kernel, stride, padding)
            matmul(cols.reshape(-1, depth).T, _rows(dout[part]), total, add=True)
        return total
    groups = max(1, min(n, GROUPS, n * pixels * depth * m // WORK))
    edges = np.arange(groups + 1) * n // groups
    sums = np.zeros((groups, depth, m), image.dtype)
    step = max(1, SCRATCH_BYTES // max(1, pixels * depth * image.itemsize))
    settings = (image, dout, code(image.dtype), kernel, stride, padding, step)
    share(_patch_products, (sums, edges[:-1], edges[1:]), settings, entries=1)
    if groups == 1:
        return sums[0]
    total = np.empty((depth, m), image.dtype)
    share(_add_up, (sums.swapaxes(0, 1), total), each=groups * m)
    return total


def _scatter(
    x: np.ndarray,
    matrix: np.ndarray,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    image: np.ndarray,
    bias: np.ndarray | None = None,
) -> None:
    """image = bias + the sum of the patches x·matrix that cover each pixel.

    x (N, OH, OW, M), matrix (M, KH·KW·C), bias (C,), image (N, H, W, C)
    """
    panels = packed(matrix)
    settings = (code(x.dtype), panels.address, kernel, stride, padding, _bias(bias, x))
    share(_scatter_images, (x, image), settings, entries=_step(x, matrix, image))


def _bias(bias: np.ndarray | None, image: np.ndarray) -> np.ndarray:
    """The bias, or no numbers instead of None."""
    return np.empty(0, image.dtype) if bias is None else np.ascontiguousarray(bias)


def _step(pixels: np.ndarray, matrix: np.ndarray, image: np.ndarray) -> int:
    """How many examples are in a block: few enough for the work of a block and for the scratch memory."""
    places = max(1, pixels.shape[1] * pixels.shape[2])
    patches = places * max(matrix.shape) * image.itemsize
    return max(1, min(WORK // max(1, places * matrix.size), SCRATCH_BYTES // max(1, patches)))


def _is_pointwise(kernel: Pair, stride: Pair, padding: Pair) -> bool:
    """Whether every pixel is a patch of its own, so that patches need not be copied."""
    return kernel == (1, 1) and stride == (1, 1) and padding == (0, 0)


@kernel("contract")
def _correlate_images(image, out, code, panels, window, stride, padding, bias):
    examples, out_h, out_w, outputs = out.shape
    channels, rows = image.shape[3], examples * out_h * out_w
    depth, number = window[0] * window[1] * channels, image.dtype.type(0)
    size = size_of(number)
    cols = image
    scratch = image.ctypes.data
    if window != (1, 1) or stride != (1, 1) or padding != (0, 0):
        cols = np.empty((rows, window[0], window[1], channels), image.dtype)
        scratch = cols.ctypes.data
        patches = cols.reshape(examples, out_h, out_w, window[0], window[1], channels)
        _im2col(image, patches, stride, padding)
    multiply_packed(
        number, code, scratch, depth * size, size, panels, out.ctypes.data, outputs * size, rows, outputs,
        depth, 0,
    )
    keep(cols)
    if bias.size:
        _add_bias(out.reshape(rows, outputs), bias)


@kernel("contract")
def _patch_products(sums, starts, stops, image, dout, code, window, stride, padding, step):
    out_h, out_w, outputs = dout.shape[1:]
    channels, number = image.shape[3], image.dtype.type(0)
    depth, size = window[0] * window[1] * channels, size_of(number)
    for g in range(len(sums)):
        for first in range(starts[g], stops[g], step):
            part = image[first : min(first + step, stops[g])]
            rows = len(part) * out_h * out_w
            cols = part
            scratch = part.ctypes.data
            if window != (1, 1) or stride != (1, 1) or padding != (0, 0):
                cols = np.empty((rows, window[0], window[1], channels), image.dtype)
                scratch = cols.ctypes.data
                patches = cols.reshape(len(part), out_h, out_w, window[0], window[1], channels)
                _im2col(part, patches, stride, padding)
            product(
                number, code, scratch, size, depth * size, dout[first:].ctypes.data, outputs * size, size,
                sums[g].ctypes.data, outputs * size, depth, outputs, rows, 1,
            )
            keep(cols)


@kernel("contract")
def _add_up(sums, total):
    for i in range(total.shape[0]):
        total[i] = sums[i, 0]
        for g in range(1, sums.shape[1]):
            for j in range(total.shape[1]):
                total[i, j] += sums[i, g, j]


@kernel("contract")
def _scatter_images(x, image, code, panels, window, stride, padding, bias):
    examples, out_h, out_w, inputs = x.shape
    channels, rows = image.shape[3], examples * out_h * out_w
    columns, number = window[0] * window[1] * channels, x.dtype.type(0)
    size = size_of(number)
    if window == (1, 1) and stride == (1, 1) and padding == (0, 0):
        multiply_packed(
            number, code, x.ctypes.data, inputs * size, size, panels, image.ctypes.data, columns * size,
            rows, columns, inputs, 0,
        )
    else:
        cols = np.empty((examples, out_h, out_w, window[0], window[1], channels), x.dtype)
        multiply_packed(
            number, code, x.ctypes.data, inputs * size, size, panels, cols.ctypes.data, columns * size,
            rows, columns, inputs, 0,
        )
        _col2im(cols, image, stride, padding)
    if bias.size:
        _add_bias(image.reshape(-1, channels), bias)


@kernel("contract")
def _add_bias(rows, bias):
    for i in range(rows.shape[0]):
        for j in range(bias.size):
            rows[i, j] += bias[j]


@kernel("contract")
def _im2col(x, cols, stride, padding):
    (stride_h, stride_w), (pad_h, pad_w) = stride, padding
    examples, height, width, channels = x.shape
    _, out_h, out_w, kernel_h, kernel_w, _ = cols.shape
    zero = x.dtype.type(0)
    rows = x.reshape(examples, height, width * channels)
    runs = cols.reshape(examples, out_h, out_w, kernel_h, kernel_w * channels)
    for n in range(examples):
        for i in range(out_h):
            for j in range(out_w):
                left = j * stride_w - pad_w
                first = min(max(0, -left), kernel_w)
                last = max(first, min(kernel_w, width - left))
                for u in range(kernel_h):
                    h = i * stride_h - pad_h + u
                    run = runs[n, i, j, u]
                    if h < 0 or h >= height or first == last:
                        for k in range(run.size):
                            run[k] = zero
                        continue
                    for k in range(first * channels):
                        run[k] = zero
                    inside = run[first * channels : last * channels]
                    source = rows[n, h, (left + first) * channels : (left + last) * channels]
                    for k in range(inside.size):
                        inside[k] = source[k]
                    for k in range(last * channels, run.size):
                        run[k] = zero


@kernel("contract")
def _col2im(cols, x, stride, padding):
    (stride_h, stride_w), (pad_h, pad_w) = stride, padding
    examples, height, width, channels = x.shape
    _, out_h, out_w, kernel_h, kernel_w, _ = cols.shape
    rows = x.reshape(examples, height, width * channels)
    runs = cols.reshape(examples, out_h, out_w, kernel_h, kernel_w * channels)
    x[:] = 0
    for n in range(examples):
        for i in range(out_h):
            for j in range(out_w):
                left = j * stride_w - pad_w
                first = min(max(0, -left), kernel_w)
                last = max(first, min(kernel_w, width - left))
                for u in range(kernel_h):
                    h = i * stride_h - pad_h + u
                    if h < 0 or h >= height or first == last:
                        continue
                    run = runs[n, i, j, u, first * channels : last * channels]
                    target = rows[n, h, (left + first) * channels : (left + last) * channels]
                    for k in range(run.size):
                        target[k] += run[k]
