"""Pooling: a window of an image becomes one pixel, channel by channel."""

import numpy as np

from scratchgen import kernels
from scratchgen.layers.base import Layer
from scratchgen.layers.windows import make_window


class Pool(Layer):
    """What both poolings share: the window, and the size of what comes out."""

    piecewise_linear = True

    def __init__(self, kernel_size, stride=None, padding=0):
        who = type(self).__name__
        self.window = make_window(who, kernel_size, kernel_size if stride is None else stride, padding)
        if any(2 * p > k for p, k in zip(self.window.padding, self.window.kernel, strict=True)):
            raise ValueError(
                f"{who} expected padding of at most half the kernel {self.window.kernel}, "
                f"got {self.window.padding}"
            )

    def output_shape(self, shape):
        """(N, OH, OW, C) for images (N, H, W, C)."""
        n, height, width, channels = shape
        return n, *self.window.output_size(type(self).__name__, height, width), channels

    def __repr__(self) -> str:
        w = self.window
        return f"{type(self).__name__}(kernel_size={w.kernel}, stride={w.stride}, padding={w.padding})"


class MaxPool2d(Pool):
    """The largest value under the window, in each channel.

    (MAXP.1)  out[n, i, j, c] = max over u, v of x[n, i·s − p + u, j·s − p + v, c]
    (MAXP.2)  dx[n, h, w, c]  = Σ dout of the windows whose maximum is x[n, h, w, c]

    Of equal values the first in reading order is the maximum and takes the whole gradient. Padded cells
    never win, not even against −∞; a NaN under the window comes out. x (N, H, W, C), out (N, OH, OW, C) with
    OH = ⌊(H + 2p − KH) / s⌋ + 1, OW likewise. Derived in docs/layers.md.

    kernel_size, stride, padding : an int, or a pair (height, width); the stride is the kernel's size where
    none is given, and padding is at most half of it
    """

    def forward(self, x, training=False):
        self.expect(x, ndim=4)
        out = np.empty(self.output_shape(x.shape), x.dtype)
        where = np.empty(out.shape, np.int32)  # which pixel of its image each maximum is, h·W + w
        kernels.pooling.max_pool_forward(
            np.ascontiguousarray(x), *self.window.settings, where, out
        )                                                                       # (MAXP.1)
        return out, (x.shape, x.dtype, where)

    def backward(self, dout, cache, input_grad=True):
        shape, dtype, where = cache
        self.expect_gradient(dout, where.shape, dtype)
        if not input_grad:
            return None
        dx = np.empty(shape, dout.dtype)
        kernels.pooling.max_pool_backward(np.ascontiguousarray(dout), where, dx)  # (MAXP.2)
        return dx

    def jvp(self, dx, cache):
        """Push a tangent forward: the tangent at each maximum."""
        shape, dtype, where = cache
        self.expect_gradient(dx, shape, dtype)
        n, height, width, channels = shape
        pixels, chosen = dx.reshape(n, height * width, channels), where.reshape(n, -1, channels)
        return np.take_along_axis(pixels, chosen, axis=1).reshape(where.shape)


class AvgPool2d(Pool):
    """The mean under the window, in each channel.

    (AVGP.1)  out[n, i, j, c] = 1/(KH·KW) · Σᵤᵥ x[n, i·s − p + u, j·s − p + v, c]
    (AVGP.2)  dx[n, h, w, c]  = 1/(KH·KW) · Σ dout of the windows that cover the pixel h, w

    Padded cells count in the mean as zeros (torch's default, count_include_pad=True). x (N, H, W, C), out
    (N, OH, OW, C) with OH = ⌊(H + 2p − KH) / s⌋ + 1, OW likewise. Derived in docs/layers.md.

    kernel_size, stride, padding : an int, or a pair (height, width); the stride is the kernel's size where
    none is given, and padding is at most half of it
    """

    def forward(self, x, training=False):
        self.expect(x, ndim=4)
        return self._mean(x), (x.shape, x.dtype)

    def _mean(self, x):
        out = np.empty(self.output_shape(x.shape), x.dtype)
        kernels.pooling.avg_pool_forward(np.ascontiguousarray(x), *self.window.settings, out)  # (AVGP.1)
        return out

    def backward(self, dout, cache, input_grad=True):
        shape, dtype = cache
        self.expect_gradient(dout, self.output_shape(shape), dtype)
        if not input_grad:
            return None
        dx = np.empty(shape, dout.dtype)
        kernels.pooling.avg_pool_backward(np.ascontiguousarray(dout), *self.window.settings, dx)  # (AVGP.2)
        return dx

    def jvp(self, dx, cache):
        """Push a tangent forward: the map is linear, so it is forward itself."""
        self.expect_gradient(dx, *cache)
        return self._mean(dx)
