"""Convolution and its transpose.

im2col copies the patches of an image into a matrix, and col2im adds the entries of such a matrix back to the
pixels they came from. Each is the backward pass of the other. Conv2d is im2col followed by a matrix product,
and its input gradient is a product followed by col2im. ConvTranspose2d swaps the two. Derived in
docs/layers.md.

Images are (N, H, W, C), patches (N, OH, OW, KH, KW, C), weights (KH, KW, C_in, C_out). kernel, stride and
padding are pairs (height, width).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, expect_flags, expect_function, positive
from scratchgen.initializers import glorot_uniform
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer, Parameter, float_dtype
from scratchgen.layers.linear import affine_bias_grad
from scratchgen.layers.windows import Pair, Window, make_window, pair


@compiled
def im2col(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """The patches of x (N, H, W, C), as (N, OH, OW, KH, KW, C). Cells outside the image are zero."""
    n, _, _, channels = x.shape
    out_h, out_w = Window(kernel, stride, padding).output_size("im2col", *x.shape[1:3])
    (pad_h, pad_w), (stride_h, stride_w) = padding, stride
    padded = np.pad(x, ((0, 0), (pad_h, pad_h), (pad_w, pad_w), (0, 0)))
    cols = np.zeros((n, out_h, out_w, *kernel, channels), x.dtype)
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            i, j = slice(u, u + stride_h * out_h, stride_h), slice(v, v + stride_w * out_w, stride_w)
            cols[:, :, :, u, v] = padded[:, i, j]                               # (CONV.1)
    return cols


@compiled
def col2im(cols: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Add the patches cols (N, OH, OW, KH, KW, C) to images of zeros, (N, H, W, C); size is (H, W)."""
    n, out_h, out_w, kernel_h, kernel_w, channels = cols.shape
    (height, width), (pad_h, pad_w), (stride_h, stride_w) = size, padding, stride
    padded = np.zeros((n, height + 2 * pad_h, width + 2 * pad_w, channels), cols.dtype)
    for u in range(kernel_h):
        for v in range(kernel_w):
            i, j = slice(u, u + stride_h * out_h, stride_h), slice(v, v + stride_w * out_w, stride_w)
            padded[:, i, j] += cols[:, :, :, u, v]                              # (CONV.6)
    return padded[:, pad_h : pad_h + height, pad_w : pad_w + width]


@compiled
def conv2d(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair) -> Array:
    """out (N, OH, OW, C_out)."""
    cols = im2col(x, weight.shape[:2], stride, padding)                         # (CONV.1)
    out = np.tensordot(cols, weight, axes=3)                                    # over (KH, KW, C_in)
    return out + (0 if bias is None else bias)                                  # (CONV.2)


@compiled
def conv2d_weight_grad(dout: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """dW (KH, KW, C_in, C_out) for dout (N, OH, OW, C_out)."""
    cols = im2col(x, kernel, stride, padding)                                   # (CONV.1)
    return np.tensordot(cols, dout, axes=((0, 1, 2), (0, 1, 2)))                # (CONV.3)  over (N, OH, OW)


@compiled
def conv2d_input_grad(dout: Array, weight: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """dx (N, H, W, C_in) for dout (N, OH, OW, C_out); size is (H, W)."""
    dcols = np.tensordot(dout, weight, axes=((3,), (3,)))                       # (CONV.5)  over C_out
    return col2im(dcols, size, stride, padding)                                 # (CONV.6)


class Conv2d(Layer):
    """A convolution: the same affine map is applied to the patch at every position of the kernel.

    cols holds one patch per row; W is the weight as a matrix (KH·KW·C_in, C_out).

    (CONV.1)  cols[(n,i,j), (u,v,c)] = x[n, i·s − p + u, j·s − p + v, c], and 0 outside the image
    (CONV.2)  out   = cols·W + b             out (N, OH, OW, C_out)
    (CONV.3)  dW    = colsᵀ·dout
    (CONV.4)  db    = Σₙᵢⱼ doutₙᵢⱼ
    (CONV.5)  dcols = dout·Wᵀ
    (CONV.6)  dx[n, h, w, c] = Σ of the entries of dcols that (CONV.1) copied from x[n, h, w, c]

    s is the stride and p the padding, each with its own value for height and width. x (N, H, W, C_in),
    OH = ⌊(H + 2p − KH) / s⌋ + 1, OW likewise; weight (KH, KW, C_in, C_out), bias (C_out,). Rows and columns
    at the bottom and right that the last stride does not reach are not used. Source: Dumoulin & Visin 2016,
    "A guide to convolution arithmetic", relationships 6 and 14. Derived in docs/layers.md.

    kernel_size, stride, padding : an int, or a pair (height, width)
    init : function (shape, fan_in, fan_out, *, rng, dtype) -> array; the bias starts at zero
    rng : a Generator or an integer seed

    Raises ValueError for images that are smaller than the kernel after padding.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        init: Callable[..., Array] = glorot_uniform,
    ):
        who = type(self).__name__
        positive(who, in_channels=in_channels, out_channels=out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.window = make_window(who, kernel_size, stride, padding)
        expect_flags(who, bias=bias)
        expect_function(who, "init", init)
        dtype, rng = float_dtype(who, dtype), as_generator(who, rng)
        self.weight = _new_weight(init, self.window, in_channels, out_channels, rng, dtype)
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def output_shape(self, x: Array) -> tuple[int, int, int, int]:
        """(N, OH, OW, C_out) for images (N, H, W, C_in)."""
        height, width = self.window.output_size(type(self).__name__, *x.shape[1:3])
        return len(x), height, width, self.out_channels

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Any]:
        self.expect(x, channels=self.in_channels)
        self.output_shape(x)                                    # ValueError for images that are too small
        bias, w = None if self.bias is None else self.bias.value, self.window
        return conv2d(x, self.weight.value, bias, w.stride, w.padding), x       # (CONV.1), (CONV.2)

    def backward(self, dout: Array, x: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, self.output_shape(x), x.dtype)
        w = self.window
        if self.trainable:
            self.weight.grad += conv2d_weight_grad(dout, x, w.kernel, w.stride, w.padding)  # (CONV.3)
            if self.bias is not None:
                self.bias.grad += affine_bias_grad(dout)                        # (CONV.4)
        if not input_grad:
            return None
        size = x.shape[1], x.shape[2]
        return conv2d_input_grad(dout, self.weight.value, size, w.stride, w.padding)  # (CONV.5), (CONV.6)

    def jvp(self, dx: Array, x: Array) -> Array:
        """Return J·dx = cols(dx)·W."""
        self.expect_gradient(dx, x.shape, x.dtype)
        return conv2d(dx, self.weight.value, None, self.window.stride, self.window.padding)

    def output_shape_text(self) -> str:
        return f"(N, H, W, {self.out_channels})"

    def __repr__(self) -> str:
        w = self.window
        return (
            f"Conv2d({self.in_channels}, {self.out_channels}, kernel_size={w.kernel}, stride={w.stride}, "
            f"padding={w.padding}, bias={self.bias is not None})"
        )


@compiled
def conv_transpose2d(
    x: Array, weight: Array, bias: Array | None, size: Pair, stride: Pair, padding: Pair
) -> Array:
    """out (N, OH, OW, C_out); size is (OH, OW)."""
    cols = np.tensordot(x, weight, axes=((3,), (2,)))                           # (CONVT.1)  over C_in
    return col2im(cols, size, stride, padding) + (0 if bias is None else bias)  # (CONVT.2)


@compiled
def conv_transpose2d_weight_grad(
    dout: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    """dW (KH, KW, C_in, C_out) for dout (N, OH, OW, C_out): dV with its channel axes swapped."""
    dcols = im2col(dout, kernel, stride, padding)                               # (CONVT.3)
    dv = np.tensordot(dcols, x, axes=((0, 1, 2), (0, 1, 2)))                    # (CONVT.4)  over (N, H, W)
    return dv.swapaxes(2, 3)


@compiled
def conv_transpose2d_input_grad(dout: Array, weight: Array, stride: Pair, padding: Pair) -> Array:
    """dx (N, H, W, C_in) for dout (N, OH, OW, C_out)."""
    dcols = im2col(dout, weight.shape[:2], stride, padding)                     # (CONVT.3)
    return np.tensordot(dcols, weight, axes=((3, 4, 5), (0, 1, 3)))             # (CONVT.6)


class ConvTranspose2d(Layer):
    """The transpose of a convolution: every pixel adds a patch to the output, and patches may overlap.

    Its forward pass computes the input gradient of a Conv2d, with x in place of dout. That Conv2d maps C_out
    channels to C_in, so its weight is this one's with the channel axes swapped, weight.transpose(0, 1, 3, 2),
    and V below is that weight as a matrix (KH·KW·C_out, C_in).

    (CONVT.1)  cols = x·Vᵀ                   one patch per row, (N·H·W, KH·KW·C_out)
    (CONVT.2)  out  = col2im(cols) + b       out[n, i·s − p + u, j·s − p + v, c] += cols[(n,i,j), (u,v,c)]
    (CONVT.3)  dcols = im2col(dout)          the patches of dout, as in (CONV.1)
    (CONVT.4)  dV   = dcolsᵀ·x
    (CONVT.5)  db   = Σₙᵢⱼ doutₙᵢⱼ
    (CONVT.6)  dx   = dcols·V

    x (N, H, W, C_in), out (N, OH, OW, C_out) with OH = (H − 1)·s − 2p + KH + output_padding, OW likewise;
    weight (KH, KW, C_in, C_out), bias (C_out,). A Conv2d gives the same OH for up to s different heights;
    output_padding, 0 to s − 1, selects which of them this layer returns. Source: Dumoulin & Visin 2016,
    relationship 14. Derived in docs/layers.md.

    kernel_size, stride, padding, output_padding : an int, or a pair (height, width)
    init : function (shape, fan_in, fan_out, *, rng, dtype) -> array; the bias starts at zero
    rng : a Generator or an integer seed

    Raises ValueError for an output_padding that is not below the stride, and for images whose output would be
    empty.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        output_padding: int | Pair = 0,
        bias: bool = True,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        init: Callable[..., Array] = glorot_uniform,
    ):
        who = type(self).__name__
        positive(who, in_channels=in_channels, out_channels=out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.window = make_window(who, kernel_size, stride, padding)
        self.output_padding = pair(who, "output_padding", output_padding, least=0)
        if any(extra >= s for extra, s in zip(self.output_padding, self.window.stride, strict=True)):
            raise ValueError(
                f"{who} expected output_padding below the stride {self.window.stride}, "
                f"got {self.output_padding}"
            )
        expect_flags(who, bias=bias)
        expect_function(who, "init", init)
        dtype, rng = float_dtype(who, dtype), as_generator(who, rng)
        self.weight = _new_weight(init, self.window, in_channels, out_channels, rng, dtype)
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def output_size(self, height: int, width: int) -> Pair:
        """The size (OH, OW) of the output for images of the given size."""
        (kh, kw), (sh, sw), (ph, pw) = self.window.kernel, self.window.stride, self.window.padding
        extra_h, extra_w = self.output_padding
        return (height - 1) * sh - 2 * ph + kh + extra_h, (width - 1) * sw - 2 * pw + kw + extra_w

    def output_shape(self, x: Array) -> tuple[int, int, int, int]:
        """(N, OH, OW, C_out) for images (N, H, W, C_in)."""
        return len(x), *self.output_size(*x.shape[1:3]), self.out_channels

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x, channels=self.in_channels)
        size = self.output_size(*x.shape[1:3])
        if min(*size, *x.shape[1:3]) < 1:
            raise ValueError(
                f"ConvTranspose2d expected images with an output of at least one pixel, "
                f"got {x.shape[1]}x{x.shape[2]}, which would become {size[0]}x{size[1]}"
            )
        bias, w = None if self.bias is None else self.bias.value, self.window
        out = conv_transpose2d(x, self.weight.value, bias, size, w.stride, w.padding)   # (CONVT.1), (CONVT.2)
        return out, x

    def backward(self, dout: Array, x: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, self.output_shape(x), x.dtype)
        w = self.window
        if self.trainable:
            self.weight.grad += conv_transpose2d_weight_grad(                   # (CONVT.3), (CONVT.4)
                dout, x, w.kernel, w.stride, w.padding
            )
            if self.bias is not None:
                self.bias.grad += affine_bias_grad(dout)                        # (CONVT.5)
        if not input_grad:
            return None
        return conv_transpose2d_input_grad(                                     # (CONVT.3), (CONVT.6)
            dout, self.weight.value, w.stride, w.padding
        )

    def jvp(self, dx: Array, x: Array) -> Array:
        """Return J·dx = col2im(dx·Vᵀ)."""
        self.expect_gradient(dx, x.shape, x.dtype)
        size, w = self.output_size(*dx.shape[1:3]), self.window
        return conv_transpose2d(dx, self.weight.value, None, size, w.stride, w.padding)

    def output_shape_text(self) -> str:
        return f"(N, H, W, {self.out_channels})"

    def __repr__(self) -> str:
        w = self.window
        return (
            f"ConvTranspose2d({self.in_channels}, {self.out_channels}, kernel_size={w.kernel}, "
            f"stride={w.stride}, padding={w.padding}, output_padding={self.output_padding}, "
            f"bias={self.bias is not None})"
        )


def _new_weight(
    init: Callable[..., Array],
    window: Window,
    in_channels: int,
    out_channels: int,
    rng: np.random.Generator,
    dtype: np.dtype,
) -> Parameter:
    """A weight (KH, KW, C_in, C_out), with the fans as initializers.py defines them."""
    kh, kw = window.kernel
    shape = (kh, kw, in_channels, out_channels)
    return Parameter(init(shape, kh * kw * in_channels, kh * kw * out_channels, rng=rng, dtype=dtype))
