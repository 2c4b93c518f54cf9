"""Layers some of whose connections are missing: what an autoregressive model is made of."""

from typing import NamedTuple

import numpy as np

from scratchgen.initializers import glorot_uniform
from scratchgen.layers.base import column_sums
from scratchgen.layers.conv import Conv2d
from scratchgen.layers.linear import Linear
from scratchgen.layers.patches import correlate, patch_product, rows, scatter

# Half of a staircase, and MADE's masks in the natural order are staircases, is one corner that needs no
# multiplying. So products are made for a few columns at a time, with the inputs that any of them sees.
# Forward, dW and dx of 784x500 on 128 rows take 0.89, 1.07 and 0.86 ms whole, 0.66, 0.85 and 0.68 in two
# blocks, 0.58, 0.76 and 0.66 in four, 0.60, 0.82 and 0.63 in eight.
BLOCKS, NARROWEST = 4, 32


class Connections(NamedTuple):
    """A mask, (D, M), and its columns cut into blocks, each with the inputs it sees."""

    mask: np.ndarray
    blocks: tuple[tuple[slice, slice], ...]


def connections(mask: np.ndarray) -> Connections:
    """Cut the columns of a mask into blocks; each with the inputs from its first connection to its last."""
    step, found = max(NARROWEST, -(-mask.shape[1] // BLOCKS)), []
    for start in range(0, mask.shape[1], step):
        columns = slice(start, min(start + step, mask.shape[1]))
        used = np.flatnonzero(mask[:, columns].any(axis=1))
        found.append((slice(used[0], used[-1] + 1) if used.size else slice(0, 0), columns))
    return Connections(mask, tuple(found))


class MaskedLinear(Linear):
    """An affine map through the connections that a mask leaves (Germain et al. 2015, equation 9).

    (MASK.1)  out = x·(M∘W) + b       x (N, D), W and M (D, M), b (M,), out (N, M);  ∘ entry by entry
    (MASK.2)  dW  = M∘(xᵀ·dout)       a missing connection has no gradient, and its weight stays as it is
    (MASK.3)  dx  = dout·(M∘W)ᵀ

    The mask acts on a product made for one forward, and never on the weights themselves: forward takes
    another mask for one call, and the same weights serve under many; where a mask comes again and again,
    `connections` looks at it once. Derived in docs/autoregressive.md.

    mask : (D, M) of True and False, [i, j] for the connection from input i to output j; a buffer
    bias, init : as for Linear

    Raises ValueError for a mask of another shape, TypeError for one that isn't of bools.
    """

    buffer_names = ("mask",)

    def __init__(
        self, in_features, out_features, mask, bias=True, *, rng, dtype=np.float32, init=glorot_uniform
    ):
        super().__init__(in_features, out_features, bias, rng=rng, dtype=dtype, init=init)
        self.mask = self._checked(mask).copy()

    def forward(self, x, training=False, mask=None):
        self.expect(x, features=self.in_features)
        seen = self._connections(self.mask if mask is None else mask)
        masked = self.weight.value * seen.mask                  # (D, M)
        out = self._product(x, masked, seen)                    # (N, M)
        if self.bias is not None:
            out += self.bias.value                              # (MASK.1)
        return out, (x, masked, seen)

    def _product(self, x, masked, seen):
        """x·(M∘W), without the bias."""
        out = np.empty((*x.shape[:-1], self.out_features), x.dtype)
        for inputs, columns in seen.blocks:
            np.matmul(x[..., inputs], masked[inputs, columns], out=out[..., columns])
        return out

    def backward(self, dout, cache, input_grad=True):
        x, masked, seen = cache
        self.expect_gradient(dout, (*x.shape[:-1], self.out_features), x.dtype)
        if self.trainable:
            self._add_weight_grad(x, dout, seen)
            if self.bias is not None:
                self.bias.grad += column_sums(dout.reshape(-1, self.out_features))
        if not input_grad:
            return None
        dx = np.zeros_like(x)                                   # (N, D)
        for inputs, columns in seen.blocks:
            dx[..., inputs] += dout[..., columns] @ masked[inputs, columns].T   # (MASK.3)
        return dx

    def _add_weight_grad(self, x, dout, seen):
        x, dout, grad = x.reshape(-1, self.in_features), dout.reshape(-1, self.out_features), self.weight.grad
        for inputs, columns in seen.blocks:
            dweight = x[:, inputs].T @ dout[:, columns]
            dweight *= seen.mask[inputs, columns]
            grad[inputs, columns] += dweight                    # (MASK.2)

    def jvp(self, dx, cache):
        """Push a tangent forward: dout = dx·(M∘W)."""
        x, masked, seen = cache
        self.expect_gradient(dx, x.shape, x.dtype)
        return self._product(dx, masked, seen)

    def tangent_backward(self, dout, dx):
        self.expect(dx, features=self.in_features)
        self.expect_gradient(dout, (*dx.shape[:-1], self.out_features), dx.dtype)
        if self.trainable:                                      # (MASK.2), with the tangent for x
            self._add_weight_grad(dx, dout, connections(self.mask))

    def _connections(self, mask):
        if isinstance(mask, Connections):
            self._checked(mask.mask)
            return mask
        return connections(self._checked(mask))

    def _checked(self, mask):
        shape = (self.in_features, self.out_features)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            got = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"MaskedLinear expected a mask of bools, got {got}; compare: mask > 0")
        if mask.shape != shape:
            raise ValueError(f"MaskedLinear expected a mask of shape {shape}, got {mask.shape}")
        return mask

    def __repr__(self) -> str:
        return (
            f"MaskedLinear({self.in_features}, {self.out_features}, connections={int(self.mask.sum())}, "
            f"bias={self.bias is not None})"
        )


class MaskedConv2d(Conv2d):
    """A convolution some of whose taps are missing (van den Oord et al. 2016, section 3.4).

    (MASK.4)  out = cols·(M∘W) + b        cols as in (CONV.1); M is the same for all pairs of channels
    (MASK.5)  dW  = M∘(colsᵀ·dout)
    (MASK.6)  dx: what the entries of dout·(M∘W)ᵀ were copied from, as in (CONV.6)

    Derived in docs/autoregressive.md.

    mask : (KH, KW) of True and False; a buffer. raster_mask and rows_mask make those that are needed
    the rest as for Conv2d

    Raises ValueError for a mask of another shape, TypeError for one that isn't of bools.
    """

    buffer_names = ("mask",)

    def __init__(
        self, in_channels, out_channels, mask, stride=1, padding=0, bias=True,
        *, rng, dtype=np.float32, init=glorot_uniform,
    ):
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            got = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"MaskedConv2d expected a mask of bools, got {got}; compare: mask > 0")
        if mask.ndim != 2:
            raise ValueError(f"MaskedConv2d expected a mask of shape (KH, KW), got {mask.shape}")
        super().__init__(
            in_channels, out_channels, mask.shape, stride, padding, bias, rng=rng, dtype=dtype, init=init
        )
        self.mask = mask.copy()

    def masked_weight(self):
        """M∘W, (KH, KW, C_in, C_out)."""
        return self.weight.value * self.mask[:, :, None, None]

    def forward(self, x, training=False):
        self.expect(x, channels=self.in_channels)
        x, masked = np.ascontiguousarray(x), self.masked_weight()
        out = self._product(x, masked)                          # (N, OH, OW, C_out)
        if self.bias is not None:
            out += self.bias.value                              # (MASK.4)
        return out, (x, masked)

    def _product(self, x, masked):
        """cols·(M∘W), without the bias."""
        out = np.empty(self.output_shape(x), x.dtype)
        correlate(x, rows(masked), self.window, out)
        return out

    def backward(self, dout, cache, input_grad=True):
        x, masked = cache
        self.expect_gradient(dout, self.output_shape(x), x.dtype)
        dout = np.ascontiguousarray(dout)
        if self.trainable:
            self._add_weight_grad(dout, x)                      # (MASK.5)
            if self.bias is not None:
                self.bias.grad += column_sums(rows(dout))
        if not input_grad:
            return None
        dx = np.empty_like(x)
        scatter(dout, rows(masked).T, self.window, dx)          # (MASK.6)
        return dx

    def _add_weight_grad(self, dout, x):
        dweight = patch_product(x, dout, self.window).reshape(self.weight.shape)
        self.weight.grad += dweight * self.mask[:, :, None, None]

    def jvp(self, dx, cache):
        """Push a tangent forward: dout = cols(dx)·(M∘W)."""
        x, masked = cache
        self.expect_gradient(dx, x.shape, x.dtype)
        return self._product(np.ascontiguousarray(dx), masked)

    def __repr__(self) -> str:
        taps = f"{int(self.mask.sum())} of {self.mask.size}"
        return f"MaskedConv2d({self.in_channels}, {self.out_channels}, taps={taps}, window={self.window})"


def raster_mask(kernel_size: tuple[int, int], centre: bool) -> np.ndarray:
    """The taps before the middle one, row by row from the top left; and, if `centre`, the middle one too.

    Without it this is van den Oord's mask A, for a first layer: no pixel sees itself. With it, mask B.
    Raises ValueError for a kernel that has no middle.
    """
    height, width = kernel_size
    if min(kernel_size) < 1 or height % 2 == 0 or width % 2 == 0:
        raise ValueError(f"raster_mask expected a kernel of odd height and width, got {kernel_size}")
    middle = height * width // 2
    return (np.arange(height * width) < middle + centre).reshape(height, width)


def rows_mask(kernel_size: tuple[int, int], centre: bool) -> np.ndarray:
    """The taps in the rows above the middle one; and, if `centre`, the middle row too, all of it.

    Raises ValueError for a kernel that has no middle.
    """
    left = raster_mask(kernel_size, centre)[:, :1]
    above = np.broadcast_to(left, kernel_size).copy()
    above[kernel_size[0] // 2] = centre
    return above
