"""U-Net and residual net: networks of a noisy x and a time t whose output has the shape of x.

Derived in docs/diffusion.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, as_image_shape, as_widths, expect_labels, positive
from scratchgen.layers.activations import SiLU
from scratchgen.layers.attention import SelfAttention
from scratchgen.layers.base import Layer
from scratchgen.layers.conv import Conv2d
from scratchgen.layers.coupling import Squeeze
from scratchgen.layers.embedding import Embedding
from scratchgen.layers.group_norm import GroupNorm
from scratchgen.layers.linear import Linear
from scratchgen.layers.normalisation import LayerNorm
from scratchgen.layers.pooling import AvgPool2d
from scratchgen.layers.residual import ResidualBlock, zeros
from scratchgen.layers.sequential import Sequential
from scratchgen.layers.time_embedding import TimeEmbedding
from scratchgen.layers.upsample import Upsample
from scratchgen.module import Module


class Condition(Module):
    """The embedding e of a time t, and of a class y if there are classes.

    (COND.1)  e = silu(W₂·silu(W₁·sinusoids(t) + b₁) + b₂ + L_y)
    (COND.2)  dL_y += dr of the examples of class y, where dr is the gradient before the last silu

    t (N,), y (N,) integers, e (N, E). Label `classes`, one more than the last class, means "no class".

    embedding : E
    classes : the number of classes; 0 for a network without classes
    """

    def __init__(self, embedding: int, classes: int, *, rng: np.random.Generator, dtype: DTypeLike):
        positive("Condition", embedding=embedding, outputs=classes + 1)
        self.embedding, self.classes = embedding, classes
        net: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.time = Sequential(
            TimeEmbedding(64), Linear(64, embedding, **net), SiLU(), Linear(embedding, embedding, **net)
        )
        self.label = Embedding(classes + 1, embedding, std=0.02, **net) if classes else None
        self.activation = SiLU()

    def forward(self, t: Array, y: Array | None) -> tuple[Array, Any]:
        r, time = self.time.forward(t)
        label = None
        if self.label is not None:
            ids = np.full(len(t), self.classes) if y is None else y
            row, label = self.label.forward(ids)
            r = r + row
        e, activation = self.activation.forward(r)                      # (COND.1)
        return e, (time, label, activation)

    def backward(self, de: Array, cache: Any) -> None:
        """Add the gradients of the parameters. A time has no gradient."""
        time, label, activation = cache
        dr = self.activation.backward(de, activation)
        if self.label is not None:
            self.label.backward(dr, label)                              # (COND.2)
        self.time.backward(dr, time, input_grad=False)


class TimeNetwork(Module):
    """Base class of networks of a time: f(x, t, y), with an output in the shape of x.

        out, cache = net.forward(x, t, y=None, training=False)
        dx = net.backward(dout, cache)                  also adds to p.grad of every parameter

    x (N, D) or (N, H, W, C); t (N,), in [0, 1]; y (N,) labels 0 … classes, of which the last one means "no
    class"; None means no class for all examples.

    classes : the number of classes; 0 for a network without classes
    """

    classes = 0

    def forward(
        self, x: Array, t: Array, y: Array | None = None, training: bool = False
    ) -> tuple[Array, Any]:
        """Return (out, cache). The cache holds everything that backward needs."""
        raise TypeError(f"{type(self).__name__} does not define forward")

    def backward(self, dout: Array, cache: Any, input_grad: bool = True) -> Any:
        """Add the gradients of the parameters to p.grad; return dx, or None if input_grad is False."""
        raise TypeError(f"{type(self).__name__} does not define backward")

    def expect_inputs(self, x: Array, t: Array, y: Array | None) -> Array | None:
        """Check t and y, and return y as integers. The layers check x."""
        who = type(self).__name__
        if not isinstance(t, np.ndarray) or t.shape != (len(x),):
            raise ValueError(f"{who} expected {len(x)} times, one per example, got {np.shape(t)}")
        if y is None:
            return None
        if not self.classes:
            raise ValueError(f"{who} expected no labels y, because it was built without classes")
        return expect_labels(who, y, len(x), self.classes + 1)


class ResidualNetCache(NamedTuple):
    """The caches of the sublayers of a ResidualNet, in the order of forward."""

    condition: Any
    first: Any
    blocks: list[Any]
    last: Any


class ResidualNet(TimeNetwork):
    """A time-conditioned network for vectors: a Linear layer, residual blocks, and a Linear layer.

    (RESNET.1)  h₀ = W·x + b,  h_k = block_k(h_(k−1), e),  out = W'·norm(h_K) + b'
    (RESNET.2)  dh_(k−1), de_k = block_k.backward(dh_k),  de = Σ_k de_k          e is used by every block

    x, out (N, features). The last Linear starts at zero, so the network starts as f = 0. Derived in
    docs/diffusion.md.

    features : columns of x
    hidden : the width of the blocks
    blocks : the number of blocks
    classes : the number of classes; 0 for a network without classes
    embedding : the width of the time embedding
    rng : a Generator or an integer seed
    """

    def __init__(
        self,
        features: int,
        hidden: int = 128,
        blocks: int = 3,
        *,
        classes: int = 0,
        embedding: int = 64,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        positive("ResidualNet", features=features, hidden=hidden, blocks=blocks)
        net: dict[str, Any] = {"rng": as_generator("ResidualNet", rng), "dtype": dtype}
        self.features, self.hidden, self.classes, self.embedding = features, hidden, classes, embedding
        self.condition = Condition(embedding, classes, **net)
        self.first = Linear(features, hidden, **net)
        self.blocks = [ResidualBlock.dense(hidden, embedding, **net) for _ in range(blocks)]
        self.last = Sequential(LayerNorm(hidden, dtype=dtype), Linear(hidden, features, init=zeros, **net))

    def forward(
        self, x: Array, t: Array, y: Array | None = None, training: bool = False
    ) -> tuple[Array, ResidualNetCache]:
        e, condition = self.condition.forward(t, self.expect_inputs(x, t, y))
        h, first = self.first.forward(x)
        blocks = []
        for block in self.blocks:                                       # (RESNET.1)
            h, cache = block.forward(h, e, training)
            blocks.append(cache)
        out, last = self.last.forward(h)
        return out, ResidualNetCache(condition, first, blocks, last)

    def backward(self, dout: Array, cache: ResidualNetCache, input_grad: bool = True) -> Any:
        dh = self.last.backward(dout, cache.last)
        de = np.zeros((len(dout), self.embedding), dout.dtype)
        for block, inner in zip(reversed(self.blocks), reversed(cache.blocks), strict=True):
            dh, de_block = block.backward(dh, inner)                    # (RESNET.2)
            de += de_block
        self.condition.backward(de, cache.condition)
        return self.first.backward(dh, cache.first, input_grad)


class UNetCache(NamedTuple):
    """The caches of the sublayers of a UNet, in the order of forward."""

    x_shape: tuple[int, ...]
    condition: Any
    first: Any
    down: list[Any]         # one per level: the block's and the pooling's
    middle: list[Any]
    up: list[Any]           # one per level, from the lowest: the upsampling's and the block's
    last: Any


class UNet(TimeNetwork):
    """A U-Net (Ronneberger et al. 2015) with a time: down to a few pixels and up again, with skip connections.

    (UNET.1)  s_k = block_k(h_k, e),  h_(k+1) = pool(s_k)               on the way down, s_k is kept
    (UNET.2)  h   = block(attention(block(h, e)), e)                    at the lowest resolution
    (UNET.3)  h_k = block'_k([upsample(h_(k+1)), s_k], e)               on the way up, channels side by side
    (UNET.4)  out = conv(silu(norm(h_0)))
    (UNET.5)  [du, ds_k] = block'_k.backward(dh_k)                      the gradient is split at the same channel
    (UNET.6)  dh_(k+1) = J_upsampleᵀ·du
    (UNET.7)  ds_k ← ds_k + J_poolᵀ·dh_(k+1)                            s_k was used twice

    x, out (N, H·W·C) or (N, H, W, C). The last convolution starts at zero, so the network starts as f = 0.
    Derived in docs/diffusion.md.

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
        channels: int | tuple[int, ...] = (32, 64),
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
        widths = as_widths(who, channels)
        positive(who, levels=len(widths), groups=groups)
        shape = as_image_shape(who, shape, multiple=2 ** (len(widths) - 1 + squeeze))
        net: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": dtype}
        block: dict[str, Any] = {"embedding": embedding, "groups": groups, "dropout": dropout, **net}
        self.shape, self.channels, self.classes, self.embedding = shape, widths, classes, embedding
        self.squeeze = Squeeze() if squeeze else None
        depth = shape[2] * (4 if squeeze else 1)
        *upper, lowest = widths
        self.condition = Condition(embedding, classes, **net)
        self.first = Conv2d(depth, widths[0], 3, padding=1, **net)
        inputs = (widths[0], *widths[:-1])
        self.down = [ResidualBlock.image(c_in, c, **block) for c_in, c in zip(inputs, upper, strict=False)]
        self.pool = AvgPool2d(2)
        self.middle = [ResidualBlock.image(inputs[-1], lowest, **block), ResidualBlock.image(lowest, lowest, **block)]
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
        e, condition = self.condition.forward(t, self.expect_inputs(x, t, y))
        images = self._to_images(x)
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
            h, in_block = block.forward(np.concatenate([u, s], axis=3), e, training)    # (UNET.3)
            up.append((in_upsample, in_block))
        out, last = self.last.forward(h)                                # (UNET.4)
        return self._from_images(out, x.shape), UNetCache(x.shape, condition, first, down, middle, up, last)

    def backward(self, dout: Array, cache: UNetCache, input_grad: bool = True) -> Any:
        de = np.zeros((len(dout), self.embedding), dout.dtype)
        dh = self.last.backward(self._to_images(dout), cache.last)
        dkept = []
        for block, below, (in_upsample, in_block) in zip(
            self.up, self.channels[1:], reversed(cache.up), strict=True
        ):
            djoined, de_block = block.backward(dh, in_block)
            du, ds = djoined[..., :below], djoined[..., below:]         # (UNET.5)
            dh = self.upsample.backward(np.ascontiguousarray(du), in_upsample)          # (UNET.6)
            dkept.append(ds)
            de += de_block
        dh, de_middle = self._middle_backward(dh, cache.middle)
        de += de_middle
        for i in reversed(range(len(self.down))):
            in_block, in_pool = cache.down[i]
            ds = dkept[i] + self.pool.backward(dh, in_pool)             # (UNET.7)
            dh, de_block = self.down[i].backward(ds, in_block)
            de += de_block
        self.condition.backward(de, cache.condition)
        dx = self.first.backward(dh, cache.first, input_grad)
        return self._from_images(dx, cache.x_shape) if input_grad else None

    def _middle_forward(self, h: Array, e: Array, training: bool) -> tuple[Array, Any]:
        h, before = self.middle[0].forward(h, e, training)
        attention = None
        if self.attention is not None:
            h, attention = self.attention.forward(h)
        h, after = self.middle[1].forward(h, e, training)
        return h, (before, attention, after)

    def _middle_backward(self, dh: Array, cache: Any) -> tuple[Array, Array]:
        before, attention, after = cache
        dh, de_after = self.middle[1].backward(dh, after)
        if self.attention is not None:
            dh = self.attention.backward(dh, attention)
        dh, de_before = self.middle[0].backward(dh, before)
        return dh, de_before + de_after

    def _to_images(self, x: Array) -> Array:
        """(N, H·W·C) or (N, H, W, C) -> the images that the first convolution takes."""
        images = x.reshape(len(x), *self.shape)
        return images if self.squeeze is None else self.squeeze.forward(images)[0]

    def _from_images(self, images: Array, shape: tuple[int, ...]) -> Array:
        """The reverse of _to_images. It only permutes numbers, so it is its own transpose."""
        return (images if self.squeeze is None else self.squeeze.inverse(images)).reshape(shape)


class PixelAttention(Layer):
    """Self-attention between the pixels of an image, added to the image: out = x + attention(norm(x)).

    (PATT.1)  out = x + attention(norm(x))          pixels are the positions
    (PATT.2)  dx  = dout + J_normᵀ·J_attentionᵀ·dout

    x, out (N, H, W, C).

    channels, groups : C, and the groups of the group norm
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
        self.norm = GroupNorm(groups, channels, dtype=dtype)
        self.attention = SelfAttention(channels, heads, rng=rng, dtype=dtype)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Any]:
        h, norm = self.norm.forward(x)
        a, attention = self.attention.forward(h.reshape(len(x), -1, x.shape[-1]))
        return x + a.reshape(x.shape), (norm, attention)                # (PATT.1)

    def backward(self, dout: Array, cache: Any, input_grad: bool = True) -> Any:
        norm, attention = cache
        dh = self.attention.backward(dout.reshape(len(dout), -1, dout.shape[-1]), attention)
        dx = self.norm.backward(dh.reshape(dout.shape), norm, input_grad)
        return dout + dx if input_grad else None                        # (PATT.2)
