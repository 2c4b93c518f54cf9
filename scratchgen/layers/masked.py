"""Layers in which a mask removes connections, for autoregressive models.

Derived in docs/autoregressive.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, describe, is_plain_array
from scratchgen.initializers import glorot_uniform
from scratchgen.kernels import compiled
from scratchgen.kernels.blocks import Blocks, column_blocks
from scratchgen.layers.base import rows
from scratchgen.layers.conv import Conv2d, conv2d, conv2d_input_grad, conv2d_weight_grad
from scratchgen.layers.linear import Linear, affine_bias_grad
from scratchgen.layers.windows import Pair


class Connections(NamedTuple):
    """A mask, prepared for many calls by `connections`."""

    mask: Array         # (D, M) of bools, [i, j] for the connection from input i to output j
    blocks: Blocks      # blocks that contain all True entries of the mask; they only save time


def connections(mask: Array) -> Connections:
    """Prepare a mask, (D, M) of bools, that is used many times."""
    return Connections(mask, column_blocks(mask))


@compiled
def masked_weight(weight: Array, mask: Array) -> Array:
    """M∘W, (D, M)."""
    return weight * mask


# The readable functions need only the mask. Their twins skip the entries outside `blocks`, so all three
# functions take it.
@compiled
def masked_affine(x: Array, masked: Array, bias: Array | None, blocks: Blocks) -> Array:
    """x·(M∘W) + b for x (…, D) and masked = M∘W (D, M)."""
    return x @ masked + (0 if bias is None else bias)           # (MASK.1)  (…, M)


@compiled
def masked_weight_grad(dout: Array, x: Array, mask: Array, blocks: Blocks) -> Array:
    """dW (D, M) for dout (…, M) and x (…, D)."""
    return mask * (rows(x).T @ rows(dout))                      # (MASK.2)  (D, M)


@compiled
def masked_input_grad(dout: Array, masked: Array, blocks: Blocks) -> Array:
    """dx (…, D) for dout (…, M)."""
    return dout @ masked.T                                      # (MASK.3)  (…, D)


class MaskedLinearCache(NamedTuple):
    """What MaskedLinear.backward needs."""

    x: Array            # (N, D): the input
    masked: Array       # (D, M): M∘W
    seen: Connections   # the mask that forward used


class MaskedLinear(Linear):
    """An affine map through the connections that a mask allows (Germain et al. 2015, equation 9).

    (MASK.1)  out = x·(M∘W) + b       x (N, D), W and M (D, M), b (M,), out (N, M);  ∘ entry by entry
    (MASK.2)  dW  = M∘(xᵀ·dout)       a missing connection has no gradient, and its weight never changes
    (MASK.3)  dx  = dout·(M∘W)ᵀ

    The mask is applied in each call of forward and never changes the weights themselves. So forward can use
    another mask for one call, and the same weights can be used with many masks; `connections` prepares a mask
    that is used many times. Derived in docs/autoregressive.md.

    mask : (D, M) of bools, [i, j] for the connection from input i to output j; a buffer
    bias, init, rng : as for Linear

    Raises ValueError for a mask of another shape, TypeError for a mask that is not of bools.
    """

    buffer_names = ("mask",)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        mask: Array,
        bias: bool = True,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        init: Callable[..., Array] = glorot_uniform,
    ):
        super().__init__(in_features, out_features, bias, rng=rng, dtype=dtype, init=init)
        self.mask = self._checked(mask).copy()

    def forward(  # type: ignore[override]
        self, x: Array, training: bool = False, mask: Array | Connections | None = None
    ) -> tuple[Array, MaskedLinearCache]:
        self.expect(x, features=self.in_features)
        seen = self._connections(self.mask if mask is None else mask)
        masked = masked_weight(self.weight.value, seen.mask)    # (D, M)
        bias = None if self.bias is None else self.bias.value
        out = masked_affine(x, masked, bias, seen.blocks)       # (MASK.1)  (N, M)
        return out, MaskedLinearCache(x, masked, seen)

    def backward(  # type: ignore[override]
        self, dout: Array, cache: MaskedLinearCache, input_grad: bool = True
    ) -> Any:
        x, masked, seen = cache
        self.expect_gradient(dout, (*x.shape[:-1], self.out_features), x.dtype)
        if self.trainable:
            self.weight.add_grad(masked_weight_grad(dout, x, seen.mask, seen.blocks))  # (MASK.2)
            if self.bias is not None:
                self.bias.grad += affine_bias_grad(dout)
        return masked_input_grad(dout, masked, seen.blocks) if input_grad else None  # (MASK.3)

    def jvp(self, dx: Array, cache: MaskedLinearCache) -> Array:  # type: ignore[override]
        """Return J·dx = dx·(M∘W)."""
        x, masked, seen = cache
        self.expect_gradient(dx, x.shape, x.dtype)
        return masked_affine(dx, masked, None, seen.blocks)

    def _connections(self, mask: Array | Connections) -> Connections:
        if isinstance(mask, Connections):
            self._checked(mask.mask)
            return mask
        return connections(self._checked(mask))

    def _checked(self, mask: Any) -> Array:
        shape = (self.in_features, self.out_features)
        _expect_bools("MaskedLinear", mask)
        if mask.shape != shape:
            raise ValueError(f"MaskedLinear expected a mask of shape {shape}, got {mask.shape}")
        return mask

    def __repr__(self) -> str:
        return (
            f"MaskedLinear({self.in_features}, {self.out_features}, connections={int(self.mask.sum())}, "
            f"bias={self.bias is not None})"
        )


class MaskedConv2d(Conv2d):
    """A convolution whose kernel has some cells missing (van den Oord et al. 2016, section 3.4).

    (MASK.4)  out = cols·(M∘W) + b        cols as in (CONV.1); M is the same for all pairs of channels
    (MASK.5)  dW  = M∘(colsᵀ·dout)
    (MASK.6)  dx  = the sum of the entries of dout·(M∘W)ᵀ that were copied from each x, as in (CONV.6)

    The cache is (x, M∘W). Derived in docs/autoregressive.md.

    mask : (KH, KW) of bools; a buffer. raster_mask and rows_mask return the usual masks
    The other parameters are those of Conv2d.

    Raises ValueError for a mask of another shape, TypeError for a mask that is not of bools.
    """

    buffer_names = ("mask",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        mask: Array,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        init: Callable[..., Array] = glorot_uniform,
    ):
        _expect_bools("MaskedConv2d", mask)
        if mask.ndim != 2:
            raise ValueError(f"MaskedConv2d expected a mask of shape (KH, KW), got {mask.shape}")
        height, width = mask.shape
        super().__init__(
            in_channels, out_channels, (height, width), stride, padding, bias, rng=rng, dtype=dtype, init=init
        )
        self.mask = mask.copy()

    def masked_weight(self) -> Array:
        """M∘W, (KH, KW, C_in, C_out)."""
        return self.weight.value * self.mask[:, :, None, None]

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple[Array, Array]]:
        self.expect(x, channels=self.in_channels)
        self.output_shape(x)                                    # ValueError for images that are too small
        bias, masked, w = None if self.bias is None else self.bias.value, self.masked_weight(), self.window
        return conv2d(x, masked, bias, w.stride, w.padding), (x, masked)        # (MASK.4)

    def backward(  # type: ignore[override]
        self, dout: Array, cache: tuple[Array, Array], input_grad: bool = True
    ) -> Any:
        x, masked = cache
        self.expect_gradient(dout, self.output_shape(x), x.dtype)
        w = self.window
        if self.trainable:
            dweight = conv2d_weight_grad(dout, x, w.kernel, w.stride, w.padding)
            self.weight.grad += dweight * self.mask[:, :, None, None]           # (MASK.5)
            if self.bias is not None:
                self.bias.grad += affine_bias_grad(dout)
        if not input_grad:
            return None
        return conv2d_input_grad(dout, masked, (x.shape[1], x.shape[2]), w.stride, w.padding)  # (MASK.6)

    def jvp(self, dx: Array, cache: tuple[Array, Array]) -> Array:  # type: ignore[override]
        """Return J·dx = cols(dx)·(M∘W)."""
        x, masked = cache
        self.expect_gradient(dx, x.shape, x.dtype)
        return conv2d(dx, masked, None, self.window.stride, self.window.padding)

    def __repr__(self) -> str:
        w, taps = self.window, f"{int(self.mask.sum())} of {self.mask.size}"
        return (
            f"MaskedConv2d({self.in_channels}, {self.out_channels}, kernel_size={w.kernel}, taps={taps}, "
            f"stride={w.stride}, padding={w.padding}, bias={self.bias is not None})"
        )


def _expect_bools(who: str, mask: Any) -> None:
    if not is_plain_array(mask) or mask.dtype != np.bool_:
        raise TypeError(f"{who} expected a mask of bools, got {describe(mask)}; convert it with mask > 0")


def raster_mask(kernel_size: tuple[int, int], centre: bool) -> Array:
    """The kernel cells before the middle one, row by row from the top left, and the middle one if `centre`.

    With centre=False this is mask A of van den Oord et al., for the first layer: the output at a pixel does
    not depend on that pixel. With centre=True it is their mask B. Raises ValueError for a kernel of even
    height or width.
    """
    height, width = kernel_size
    if min(kernel_size) < 1 or height % 2 == 0 or width % 2 == 0:
        raise ValueError(f"raster_mask expected a kernel of odd height and width, got {kernel_size}")
    middle = height * width // 2
    count = middle + 1 if centre else middle
    return (np.arange(height * width) < count).reshape(height, width)


def rows_mask(kernel_size: tuple[int, int], centre: bool) -> Array:
    """The kernel cells in the rows above the middle one, and the whole middle row if `centre`.

    Raises ValueError for a kernel of even height or width.
    """
    left = raster_mask(kernel_size, centre)[:, :1]
    above = np.broadcast_to(left, kernel_size).copy()
    above[kernel_size[0] // 2] = centre
    return above
