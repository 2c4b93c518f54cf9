"""Convolution and its transpose: one matrix of patches, walked in both directions.

Conv2d gathers patches and multiplies; ConvTranspose2d multiplies and scatters patches. Either's forward is
the other's input gradient, so both are made of the same three walks over patches (layers/patches.py).
"""

import numpy as np

from scratchgen.checks import positive
from scratchgen.initializers import glorot_uniform
from scratchgen.layers.base import Layer, Parameter, column_sums, float_dtype
from scratchgen.layers.patches import correlate, patch_product, rows, scatter
from scratchgen.layers.windows import make_window, pair


class Conv2d(Layer):
    """A convolution: at every place the same affine map of the patch under the kernel.

    cols holds the patches, one a row; W is the weight as a matrix (KH·KW·C_in, C_out).

    (CONV.1)  cols[(n,i,j), (u,v,c)] = x[n, i·s − p + u, j·s − p + v, c], and 0 outside the image
    (CONV.2)  out   = cols·W + b             out (N, OH, OW, C_out)
    (CONV.3)  dW    = colsᵀ·dout
    (CONV.4)  db    = Σₙᵢⱼ doutₙᵢⱼ
    (CONV.5)  dcols = dout·Wᵀ
    (CONV.6)  dx[n, h, w, c] = Σ of the entries of dcols that (CONV.1) copied from x[n, h, w, c]

    s is the stride and p the padding, each with its own value for height and width. x (N, H, W, C_in),
    OH = ⌊(H + 2p − KH) / s⌋ + 1, OW likewise; weight (KH, KW, C_in, C_out), bias (C_out,). What the last
    stride leaves over at the bottom or right edge is not seen. Source: Dumoulin & Visin 2016, "A guide to
    convolution arithmetic", relationships 6 and 14. Derived in docs/layers.md.

    kernel_size, stride, padding : an int, or a pair (height, width)
    init : function (shape, fan_in, fan_out, *, rng, dtype) -> array; the bias starts at zero
    """

    piecewise_linear = True

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True,
        *, rng, dtype=np.float32, init=glorot_uniform,
    ):
        positive("Conv2d", in_channels=in_channels, out_channels=out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.window = make_window("Conv2d", kernel_size, stride, padding)
        dtype = float_dtype(type(self).__name__, dtype)
        self.weight = new_weight(init, self.window, in_channels, out_channels, rng, dtype)
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def output_shape(self, x):
        """(N, OH, OW, C_out) for images (N, H, W, C_in)."""
        return len(x), *self.window.output_size("Conv2d", *x.shape[1:3]), self.out_channels

    def forward(self, x, training=False):
        self.expect(x, channels=self.in_channels)
        x = np.ascontiguousarray(x)
        out = np.empty(self.output_shape(x), x.dtype)                           # (N, OH, OW, C_out)
        bias = None if self.bias is None else self.bias.value
        correlate(x, rows(self.weight.value), self.window, out, bias)           # (CONV.1, CONV.2)
        return out, x

    def backward(self, dout, x, input_grad=True):
        self.expect_gradient(dout, self.output_shape(x), x.dtype)
        dout = np.ascontiguousarray(dout)
        if self.trainable:
            self._add_weight_grad(dout, x)
            if self.bias is not None:
                self.bias.grad += column_sums(rows(dout))                       # (CONV.4)
        if not input_grad:
            return None
        dx = np.empty_like(x)                                                   # (N, H, W, C_in)
        scatter(dout, rows(self.weight.value).T, self.window, dx)               # (CONV.5, CONV.6)
        return dx

    def _add_weight_grad(self, dout, x):
        self.weight.grad += patch_product(x, dout, self.window).reshape(self.weight.shape)  # (CONV.3)

    def jvp(self, dx, x):
        """Push a tangent forward: dout = cols(dx)·W."""
        self.expect_gradient(dx, x.shape, x.dtype)
        dout = np.empty(self.output_shape(dx), dx.dtype)
        correlate(np.ascontiguousarray(dx), rows(self.weight.value), self.window, dout)
        return dout

    def tangent_backward(self, dout, dx):
        self.expect(dx, channels=self.in_channels)
        self.expect_gradient(dout, self.output_shape(dx), dx.dtype)
        if self.trainable:                                      # (CONV.3), with the tangent for x
            self._add_weight_grad(np.ascontiguousarray(dout), np.ascontiguousarray(dx))

    def __repr__(self) -> str:
        w = self.window
        return (
            f"Conv2d({self.in_channels}, {self.out_channels}, kernel_size={w.kernel}, stride={w.stride}, "
            f"padding={w.padding}, bias={self.bias is not None})"
        )


class ConvTranspose2d(Layer):
    """The transpose of a convolution: every pixel puts down a patch, and where patches overlap they add up.

    Its forward is the input gradient of Conv2d, with x in the place of dout. That Conv2d maps C_out channels
    to C_in, so its weight is this one's with the channel axes swapped, weight.transpose(0, 1, 3, 2), and
    V below is it as a matrix (KH·KW·C_out, C_in).

    (CONVT.1)  cols = x·Vᵀ                   one patch a row, (N·H·W, KH·KW·C_out)
    (CONVT.2)  out  = col2im(cols) + b       out[n, i·s − p + u, j·s − p + v, c] += cols[(n,i,j), (u,v,c)]
    (CONVT.3)  dcols = im2col(dout)          the patches of dout, as (CONV.1) has them
    (CONVT.4)  dV   = dcolsᵀ·x
    (CONVT.5)  db   = Σₙᵢⱼ doutₙᵢⱼ
    (CONVT.6)  dx   = dcols·V

    x (N, H, W, C_in), out (N, OH, OW, C_out) with OH = (H − 1)·s − 2p + KH + output_padding, OW likewise;
    weight (KH, KW, C_in, C_out), bias (C_out,). Inputs of up to s different heights lead a Conv2d to the
    same OH; output_padding, 0 to s − 1, says which of them to come back to. Source: Dumoulin & Visin 2016,
    relationship 14. Derived in docs/layers.md.

    kernel_size, stride, padding, output_padding : an int, or a pair (height, width)
    init : function (shape, fan_in, fan_out, *, rng, dtype) -> array; the bias starts at zero
    """

    piecewise_linear = True

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, bias=True,
        *, rng, dtype=np.float32, init=glorot_uniform,
    ):
        positive("ConvTranspose2d", in_channels=in_channels, out_channels=out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.window = make_window("ConvTranspose2d", kernel_size, stride, padding)
        self.output_padding = pair("ConvTranspose2d", "output_padding", output_padding, least=0)
        if any(extra >= s for extra, s in zip(self.output_padding, self.window.stride, strict=True)):
            raise ValueError(
                f"ConvTranspose2d expected output_padding below the stride {self.window.stride}, "
                f"got {self.output_padding}"
            )
        dtype = float_dtype(type(self).__name__, dtype)
        self.weight = new_weight(init, self.window, in_channels, out_channels, rng, dtype)
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def output_size(self, height, width):
        """The size of the image that one of height x width becomes."""
        (kh, kw), (sh, sw), (ph, pw) = self.window.kernel, self.window.stride, self.window.padding
        extra_h, extra_w = self.output_padding
        return (height - 1) * sh - 2 * ph + kh + extra_h, (width - 1) * sw - 2 * pw + kw + extra_w

    def output_shape(self, x):
        """(N, OH, OW, C_out) for images (N, H, W, C_in)."""
        return len(x), *self.output_size(*x.shape[1:3]), self.out_channels

    def _as_weight(self, v):
        """A matrix like V in the shape of the weight."""
        kh, kw, c_in, c_out = self.weight.shape
        return v.reshape(kh, kw, c_out, c_in).transpose(0, 1, 3, 2)

    def matrix(self):
        """V, the weight of the Conv2d that this layer transposes, (KH·KW·C_out, C_in)."""
        return rows(np.ascontiguousarray(self.weight.value.transpose(0, 1, 3, 2)))

    def forward(self, x, training=False):
        self.expect(x, channels=self.in_channels)
        size = self.output_size(*x.shape[1:3])
        if min(*size, *x.shape[1:3]) < 1:
            raise ValueError(
                f"ConvTranspose2d expected images whose output is not empty, "
                f"got {x.shape[1]}x{x.shape[2]}, which becomes {size[0]}x{size[1]}"
            )
        x = np.ascontiguousarray(x)
        out = self._spread(x)                                                   # (N, OH, OW, C_out)
        if self.bias is not None:
            out += self.bias.value                                              # (CONVT.2)
        return out, x

    def _spread(self, x):
        """col2im(x·Vᵀ), without the bias."""
        out = np.empty(self.output_shape(x), x.dtype)
        scatter(x, self.matrix().T, self.window, out)                           # (CONVT.1, CONVT.2)
        return out

    def backward(self, dout, x, input_grad=True):
        self.expect_gradient(dout, self.output_shape(x), x.dtype)
        dout = np.ascontiguousarray(dout)
        if self.trainable:
            self._add_weight_grad(dout, x)
            if self.bias is not None:
                self.bias.grad += column_sums(rows(dout))                       # (CONVT.5)
        if not input_grad:
            return None
        dx = np.empty_like(x)                                                   # (N, H, W, C_in)
        correlate(dout, self.matrix(), self.window, dx)                         # (CONVT.3, CONVT.6)
        return dx

    def _add_weight_grad(self, dout, x):
        self.weight.grad += self._as_weight(patch_product(dout, x, self.window))  # (CONVT.3, CONVT.4)

    def jvp(self, dx, x):
        """Push a tangent forward: dout = col2im(dx·Vᵀ)."""
        self.expect_gradient(dx, x.shape, x.dtype)
        return self._spread(np.ascontiguousarray(dx))

    def tangent_backward(self, dout, dx):
        if not self.trainable:
            return
        self.expect_gradient(dout, (len(dx), *self.output_size(*dx.shape[1:3]), self.out_channels), dx.dtype)
        dx, dout = np.ascontiguousarray(dx), np.ascontiguousarray(dout)
        self._add_weight_grad(dout, dx)                         # (CONVT.4), with the tangent for x

    def __repr__(self) -> str:
        w = self.window
        return (
            f"ConvTranspose2d({self.in_channels}, {self.out_channels}, kernel_size={w.kernel}, "
            f"stride={w.stride}, padding={w.padding}, output_padding={self.output_padding}, "
            f"bias={self.bias is not None})"
        )


def new_weight(init, window, in_channels, out_channels, rng, dtype):
    """A weight (KH, KW, C_in, C_out), its fans counted as in initializers.py."""
    kh, kw = window.kernel
    shape = (kh, kw, in_channels, out_channels)
    return Parameter(init(shape, kh * kw * in_channels, kh * kw * out_channels, rng=rng, dtype=dtype))
