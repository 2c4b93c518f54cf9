"""Pooling: each window of an image is reduced to one pixel, channel by channel. Derived in docs/layers.md.

Images are (N, H, W, C). kernel, stride and padding are pairs (height, width).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer
from scratchgen.layers.windows import Pair, Window, make_window


@compiled
def max_pool(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> tuple[Array, Array]:
    """(out, where): the maxima (N, OH, OW, C), and the pixel h·W + w that each one came from."""
    n, height, width, channels = x.shape
    out_h, out_w = Window(kernel, stride, padding).output_size("max_pool", height, width)
    out = np.full((n, out_h, out_w, channels), -np.inf, x.dtype)
    where = np.full(out.shape, -1, np.int32)
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            h = np.arange(out_h) * stride[0] - padding[0] + u
            w = np.arange(out_w) * stride[1] - padding[1] + v
            inside = ((h >= 0) & (h < height))[:, None] & ((w >= 0) & (w < width))      # (OH, OW)
            cell = x[:, h.clip(0, height - 1)][:, :, w.clip(0, width - 1)]              # (N, OH, OW, C)
            # Strictly greater, so the first of equal values is kept. The first cell inside the image is
            # always taken, even if it is -inf.
            better = (cell > out) | (np.isnan(cell) & ~np.isnan(out)) | (where < 0)
            better &= inside[:, :, None]
            out = np.where(better, cell, out)                                           # (MAXP.1)
            where = np.where(better, (h[:, None] * width + w)[:, :, None], where)
    return out, where.astype(np.int32)


@compiled
def max_pool_backward(dout: Array, where: Array, size: Pair) -> Array:
    """dx (N, H, W, C) for dout (N, OH, OW, C); size is (H, W)."""
    n, _, _, channels = dout.shape
    dx = np.zeros((n, size[0] * size[1], channels), dout.dtype)
    examples = np.arange(n)[:, None, None, None]
    np.add.at(dx, (examples, where, np.arange(channels)), dout)                         # (MAXP.2)
    return dx.reshape(n, *size, channels)


@compiled
def avg_pool(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """The means (N, OH, OW, C)."""
    n, height, width, channels = x.shape
    out_h, out_w = Window(kernel, stride, padding).output_size("avg_pool", height, width)
    (pad_h, pad_w), (stride_h, stride_w) = padding, stride
    padded = np.pad(x, ((0, 0), (pad_h, pad_h), (pad_w, pad_w), (0, 0)))
    total = np.zeros((n, out_h, out_w, channels), x.dtype)
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            i, j = slice(u, u + stride_h * out_h, stride_h), slice(v, v + stride_w * out_w, stride_w)
            total += padded[:, i, j] / (kernel[0] * kernel[1])                          # (AVGP.1)
    return total


@compiled
def avg_pool_backward(dout: Array, size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """dx (N, H, W, C) for dout (N, OH, OW, C); size is (H, W)."""
    n, out_h, out_w, channels = dout.shape
    (height, width), (pad_h, pad_w), (stride_h, stride_w) = size, padding, stride
    padded = np.zeros((n, height + 2 * pad_h, width + 2 * pad_w, channels), dout.dtype)
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            i, j = slice(u, u + stride_h * out_h, stride_h), slice(v, v + stride_w * out_w, stride_w)
            padded[:, i, j] += dout / (kernel[0] * kernel[1])                           # (AVGP.2)
    return padded[:, pad_h : pad_h + height, pad_w : pad_w + width]


class Pool(Layer):
    """Base class of both pooling layers, with the window and the size of the output."""

    def __init__(
        self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
    ):
        who = type(self).__name__
        self.window = make_window(who, kernel_size, kernel_size if stride is None else stride, padding)
        if any(2 * p > k for p, k in zip(self.window.padding, self.window.kernel, strict=True)):
            raise ValueError(
                f"{who} expected padding of at most half the kernel {self.window.kernel}, "
                f"got {self.window.padding}"
            )

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """(N, OH, OW, C) for images (N, H, W, C)."""
        n, height, width, channels = shape
        return n, *self.window.output_size(type(self).__name__, height, width), channels

    def __repr__(self) -> str:
        w = self.window
        return f"{type(self).__name__}(kernel_size={w.kernel}, stride={w.stride}, padding={w.padding})"


class MaxPoolCache(NamedTuple):
    """What MaxPool2d.backward needs."""

    shape: tuple[int, ...]      # of x, (N, H, W, C)
    dtype: np.dtype             # of x
    where: Array                # (N, OH, OW, C): the pixel h·W + w of its image that each maximum came from


class MaxPool2d(Pool):
    """The largest value in the window, for each channel.

    (MAXP.1)  out[n, i, j, c] = max over u, v of x[n, i·s − p + u, j·s − p + v, c]
    (MAXP.2)  dx[n, h, w, c]  = Σ dout of the windows whose maximum is x[n, h, w, c]

    If values are equal, the first one (row by row) is the maximum and gets the whole gradient. Padded cells
    are never the maximum, even if all others are −∞. If the window contains a NaN, the result is NaN. x (N,
    H, W, C), out (N, OH, OW, C) with OH = ⌊(H + 2p − KH) / s⌋ + 1, OW likewise. Derived in docs/layers.md.

    kernel_size, stride, padding : an int, or a pair (height, width); the default stride is the kernel size,
    and padding is at most half of it
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, MaxPoolCache]:
        self.expect(x, ndim=4)
        self.output_shape(x.shape)                              # ValueError for images that are too small
        w = self.window
        out, where = max_pool(x, w.kernel, w.stride, w.padding)                 # (MAXP.1)
        return out, MaxPoolCache(x.shape, x.dtype, where)

    def backward(self, dout: Array, cache: MaxPoolCache, input_grad: bool = True) -> Any:
        shape, dtype, where = cache
        self.expect_gradient(dout, where.shape, dtype)
        if not input_grad:
            return None
        return max_pool_backward(dout, where, (shape[1], shape[2]))             # (MAXP.2)

    def jvp(self, dx: Array, cache: MaxPoolCache) -> Array:
        """Return J·dx: the entries of dx at the positions of the maxima."""
        shape, dtype, where = cache
        self.expect_gradient(dx, shape, dtype)
        n, height, width, channels = shape
        pixels, chosen = dx.reshape(n, height * width, channels), where.reshape(n, -1, channels)
        return np.take_along_axis(pixels, chosen, axis=1).reshape(where.shape)


class AvgPool2d(Pool):
    """The mean of the window, for each channel.

    (AVGP.1)  out[n, i, j, c] = 1/(KH·KW) · Σᵤᵥ x[n, i·s − p + u, j·s − p + v, c]
    (AVGP.2)  dx[n, h, w, c]  = 1/(KH·KW) · Σ dout of the windows that cover the pixel h, w

    Padded cells count as zeros in the mean (PyTorch's default, count_include_pad=True). The cache is (shape,
    dtype) of x. x (N, H, W, C), out (N, OH, OW, C) with OH = ⌊(H + 2p − KH) / s⌋ + 1, OW likewise. Derived in
    docs/layers.md.

    kernel_size, stride, padding : an int, or a pair (height, width); the default stride is the kernel size,
    and padding is at most half of it
    """

    def forward(
        self, x: Array, training: bool = False
    ) -> tuple[Array, tuple[tuple[int, ...], np.dtype]]:
        self.expect(x, ndim=4)
        self.output_shape(x.shape)                              # ValueError for images that are too small
        w = self.window
        return avg_pool(x, w.kernel, w.stride, w.padding), (x.shape, x.dtype)   # (AVGP.1)

    def backward(
        self, dout: Array, cache: tuple[tuple[int, ...], np.dtype], input_grad: bool = True
    ) -> Any:
        shape, dtype = cache
        self.expect_gradient(dout, self.output_shape(shape), dtype)
        if not input_grad:
            return None
        w = self.window
        return avg_pool_backward(dout, (shape[1], shape[2]), w.kernel, w.stride, w.padding)  # (AVGP.2)

    def jvp(self, dx: Array, cache: tuple[tuple[int, ...], np.dtype]) -> Array:
        """Return J·dx. The map is linear, so J·dx is the average of dx."""
        self.expect_gradient(dx, *cache)
        return avg_pool(dx, self.window.kernel, self.window.stride, self.window.padding)
