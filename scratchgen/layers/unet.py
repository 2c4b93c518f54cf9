"""U-Net: a network of a noisy image and a time whose output is an image. Derived in docs/diffusion.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import (
    Array,
    as_generator,
    as_image_shape,
    expect_count,
    expect_flags,
    expect_number,
    positive,
)
from scratchgen.layers.activations import SiLU
from scratchgen.layers.arrays import add, join, split
from scratchgen.layers.attention import SelfAttention
from scratchgen.layers.base import Layer, float_dtype
from scratchgen.layers.conv import Conv2d
from scratchgen.layers.coupling import Squeeze
from scratchgen.layers.group_norm import GroupNorm
from scratchgen.layers.pooling import AvgPool2d
from scratchgen.layers.residual import ResidualBlock, zeros
from scratchgen.layers.sequential import Sequential
from scratchgen.layers.time_network import Condition, TimeNetwork
from scratchgen.layers.upsample import Upsample


class PixelAttention(Layer):
    """Self-attention between the pixels of an image, added to the image: out = x + attention(norm(x)).

    (PATT.1)  out = x + attention(norm(x))          pixels are the positions
    (PATT.2)  dx  = dout + J_normᵀ·J_attentionᵀ·dout

    x, out (N, H, W, C).

    channels, groups : C, and the groups of the group norm, of which C must be a multiple
    heads : the number of attention heads, of which C must be a multiple
    rng : a Generator or an integer seed

    Raises ValueError if C is not such a multiple, and for x of another shape.
    """

    def __init__(
        self,
        channels: int,
        groups: int,
        heads: int = 1,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        who = "PixelAttention"
        positive(who, channels=channels, groups=groups, heads=heads)
        if channels % groups or channels % heads:
            raise ValueError(
                f"{who} expected channels to be a multiple of groups={groups} and heads={heads}, "
                f"got {channels}"
            )
        dtype, rng = float_dtype(who, dtype), as_generator(who, rng)
        self.channels = channels
        self.norm = GroupNorm(groups, channels, dtype=dtype)
        self.attention = SelfAttention(channels, heads, rng=rng, dtype=dtype)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Any]:
        self.expect(x, channels=self.channels)
        h, norm = self.norm.forward(x)
        a, attention = self.attention.forward(h.reshape(len(x), -1, x.shape[-1]))
        return add(x, a.reshape(x.shape)), (norm, attention)            # (PATT.1)

    def backward(self, dout: Array, cache: Any, input_grad: bool = True) -> Any:
        norm, attention = cache
        self.expect_gradient(dout, norm.xhat.shape, norm.xhat.dtype)
        dh = self.attention.backward(dout.reshape(len(dout), -1, dout.shape[-1]), attention)
        dx = self.norm.backward(dh.reshape(dout.shape), norm, input_grad)
        return add(dout, dx) if input_grad else None                    # (PATT.2)

    def jvp(self, dx: Array, cache: Any) -> Array:
        """Return J·dx, by differentiating (PATT.1)."""
        norm, attention = cache
        self.expect_gradient(dx, norm.xhat.shape, norm.xhat.dtype)
        dh = self.norm.jvp(dx, norm)
        da = self.attention.jvp(dh.reshape(len(dx), -1, self.channels), attention)
        return dx + da.reshape(dx.shape)

    def output_shape_text(self) -> str:
        return f"(N, H, W, {self.channels})"

    def __repr__(self) -> str:
        return f"PixelAttention({self.channels}, {self.norm.groups}, heads={self.attention.heads})"


class UNetCache(NamedTuple):
    """The input, and the caches of the sublayers of a UNet in the order of forward."""

    x: Array
    condition: Any
    first: Any
    down: list[Any]         # one per level: the block's and the pooling's
    middle: list[Any]
    up: list[Any]           # one per level, from the lowest: the upsampling's and the block's
    last: Any


class UNet(TimeNetwork):
    """A U-Net with a time: down to a few pixels and up again, with skip connections.

    (UNET.1)  s_k = block_k(h_k, e),  h_(k+1) = pool(s_k)               on the way down, s_k is kept
    (UNET.2)  h   = block(attention(block(h, e)), e)                    at the lowest resolution
    (UNET.3)  h_k = block'_k([upsample(h_(k+1)), s_k], e)               on the way up, channels side by side
    (UNET.4)  out = conv(silu(norm(h_0)))
    (UNET.5)  [du, ds_k] = block'_k.backward(dh_k)                      split where the channels were joined
    (UNET.6)  dh_(k+1) = J_upsampleᵀ·du
    (UNET.7)  ds_k ← ds_k + J_poolᵀ·dh_(k+1)                            s_k was used twice

    x, out (N, H·W·C) or (N, H, W, C). The last convolution starts at zero, so the network starts as f = 0.
    Source: Ronneberger et al. 2015; Ho et al. 2020, appendix B. Derived in docs/diffusion.md.

    shape : (H, W, C), with H and W divisible by 2 for each level but the first, and by 2 more with `squeeze`
    channels : of the levels, from the full resolution to the lowest one, multiples of `groups`
    squeeze : put 2×2 pixels into the channels first (layers.Squeeze), so that all levels are half as large
    attention : whether the lowest level has self-attention with one head
    groups : of the group norms
    classes : the number of classes; 0 for a network without classes
    embedding : the width of the time embedding
    rng : a Generator or an integer seed
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        channels: Sequence[int] = (32, 64),
        *,
        squeeze: bool = False,
        attention: bool = False,
        dropout: float = 0.0,
        groups: int = 8,
        classes: int = 0,
        embedding: int = 128,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        who = "UNet"
        if not isinstance(channels, tuple | list) or not channels:
            raise TypeError(f"{who} expected channels to be a sequence of one or more ints, got {channels!r}")
        widths = tuple(expect_count(who, "channels", width) for width in channels)
        positive(who, groups=groups, embedding=embedding)
        expect_count(who, "classes", classes, least=0)
        expect_number(who, "dropout", dropout, least=0, below=1)
        expect_flags(who, squeeze=squeeze, attention=attention)
        if any(width % groups for width in widths):
            raise ValueError(f"{who} expected channels to be multiples of groups={groups}, got {channels!r}")
        shape, multiple = as_image_shape(who, shape), 2 ** (len(widths) - 1 + squeeze)
        if shape[0] % multiple or shape[1] % multiple:
            raise ValueError(f"{who} expected H and W of shape to be divisible by {multiple}, got {shape}")
        dtype = float_dtype(who, dtype)
        net: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": dtype}
        block: dict[str, Any] = {"embedding": embedding, "groups": groups, "dropout": dropout, **net}
        self.shape, self.channels, self.classes, self.embedding = shape, widths, classes, embedding
        self.groups, self.dropout = groups, dropout
        self.squeeze = Squeeze() if squeeze else None
        depth = shape[2] * (4 if squeeze else 1)
        *upper, lowest = widths
        self.condition = Condition(embedding, classes, **net)
        self.first = Conv2d(depth, widths[0], 3, padding=1, **net)
        inputs = (widths[0], *widths[:-1])
        self.down = [ResidualBlock.image(c_in, c, **block) for c_in, c in zip(inputs, upper, strict=False)]
        self.pool = AvgPool2d(2)
        self.middle = [ResidualBlock.image(c_in, lowest, **block) for c_in in (inputs[-1], lowest)]
        self.attention = PixelAttention(lowest, groups, **net) if attention else None
        self.upsample = Upsample(2)
        self.up = [
            ResidualBlock.image(below + c, c, **block) for c, below in zip(upper, widths[1:], strict=True)
        ]
        self.last = Sequential(
            GroupNorm(groups, widths[0], dtype=dtype),
            SiLU(),
            Conv2d(widths[0], depth, 3, padding=1, init=zeros, **net),
        )

    def forward(
        self, x: Array, t: Array, y: Array | None = None, training: bool = False
    ) -> tuple[Array, UNetCache]:
        labels = self.expect_inputs(x, t, y)
        images = self._to_images(x)
        e, condition = self.condition.forward(t, labels)
        h, first = self.first.forward(images)
        kept, down = [], []
        for block in self.down:                                         # (UNET.1)
            s, in_block = block.forward(h, e, training)
            h, in_pool = self.pool.forward(s)
            kept.append(s)
            down.append((in_block, in_pool))
        h, middle = self._middle_forward(h, e, training)                # (UNET.2)
        up = []
        for block, s in zip(reversed(self.up), reversed(kept), strict=True):
            u, in_upsample = self.upsample.forward(h)
            h, in_block = block.forward(join(u, s), e, training)    # (UNET.3)
            up.append((in_upsample, in_block))
        out, last = self.last.forward(h)                                # (UNET.4)
        return self._from_images(out, x.shape), UNetCache(x, condition, first, down, middle, up, last)

    def backward(self, dout: Array, cache: UNetCache, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, cache.x.shape, cache.x.dtype)
        dh: Any
        de = np.zeros((len(dout), self.embedding), dout.dtype)
        dh = self.last.backward(self._to_images(dout), cache.last)
        dkept = []
        for block, below, (in_upsample, in_block) in zip(
            self.up, self.channels[1:], reversed(cache.up), strict=True
        ):
            djoined: Any
            djoined, de_block = block.backward(dh, in_block)
            du, ds = split(djoined, below)                              # (UNET.5)
            dh = self.upsample.backward(du, in_upsample)                 # (UNET.6)
            dkept.append(ds)
            de += de_block
        dh, de_middle = self._middle_backward(dh, cache.middle)
        de += de_middle
        for i in reversed(range(len(self.down))):
            in_block, in_pool = cache.down[i]
            ds = add(dkept[i], self.pool.backward(dh, in_pool))         # (UNET.7)
            dh, de_block = self.down[i].backward(ds, in_block)
            de += de_block
        self.condition.backward(de, cache.condition)
        dx = self.first.backward(dh, cache.first, input_grad)
        return self._from_images(dx, cache.x.shape) if input_grad else None

    def _middle_forward(self, h: Array, e: Array, training: bool) -> tuple[Array, Any]:
        h, before = self.middle[0].forward(h, e, training)
        attention = None
        if self.attention is not None:
            h, attention = self.attention.forward(h)
        h, after = self.middle[1].forward(h, e, training)
        return h, (before, attention, after)

    def _middle_backward(self, dh: Any, cache: Any) -> tuple[Any, Array]:
        before, attention, after = cache
        dh, de_after = self.middle[1].backward(dh, after)
        if self.attention is not None:
            dh = self.attention.backward(dh, attention)
        dh, de_before = self.middle[0].backward(dh, before)
        return dh, de_before + de_after

    def _to_images(self, x: Array) -> Array:
        """(N, H·W·C) or (N, H, W, C) -> the images that the first convolution takes."""
        if x.shape[1:] not in (self.shape, (math.prod(self.shape),)):
            height, width, depth = self.shape
            raise ValueError(
                f"UNet expected x of shape (N, {height}, {width}, {depth}) or (N, {math.prod(self.shape)}), "
                f"got {x.shape}"
            )
        images = x.reshape(len(x), *self.shape)
        return images if self.squeeze is None else self.squeeze.forward(images)[0]

    def _from_images(self, images: Array, shape: tuple[int, ...]) -> Array:
        """The reverse of _to_images. It only permutes numbers, so it is its own transpose."""
        return (images if self.squeeze is None else self.squeeze.inverse(images)).reshape(shape)

    def __repr__(self) -> str:
        return (
            f"UNet({self.shape}, {self.channels}, squeeze={self.squeeze is not None}, "
            f"attention={self.attention is not None}, dropout={self.dropout}, groups={self.groups}, "
            f"classes={self.classes}, embedding={self.embedding})"
        )
