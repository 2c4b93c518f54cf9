"""The blocks of a transformer that translates: one reads the source, the other one writes the target."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array
from scratchgen.layers import (
    GELU,
    CausalSelfAttention,
    CrossAttention,
    Dropout,
    LayerNorm,
    Linear,
    Sequential,
)
from scratchgen.layers.arrays import add
from scratchgen.module import Module


def feed_forward(features: int, **net_args: Any) -> Sequential:
    """Two affine maps with a GELU between them, C → 4C → C, position by position."""
    return Sequential(
        Linear(features, 4 * features, **net_args), GELU(), Linear(4 * features, features, **net_args)
    )


class EncoderCache(NamedTuple):
    """The caches of the layers of an EncoderBlock."""

    norm1: Any
    attention: Any
    drop1: Any
    norm2: Any
    mlp: Any
    drop2: Any


class EncoderBlock(Module):
    """A block that reads: every position sees all positions of its own sequence, but no padding.

    (ENCB.1)  h   = x + attention(a, a, lengths),  a = norm1(x)
    (ENCB.2)  out = h + mlp(norm2(h))
    (ENCB.3)  da  = da as the queries + da as the memory     the normalised input is used twice

    x, out (N, S, C).
    """

    def __init__(
        self, features: int, heads: int, *, dropout: float, rng: np.random.Generator, dtype: Any
    ):
        self.norm1 = LayerNorm(features, dtype=dtype)
        self.attention = CrossAttention(features, heads, rng=rng, dtype=dtype)
        self.norm2 = LayerNorm(features, dtype=dtype)
        self.mlp = feed_forward(features, rng=rng, dtype=dtype)
        self.drop1, self.drop2 = (Dropout(dropout, rng=r) for r in rng.spawn(2))

    def forward(self, x: Array, lengths: Array, training: bool) -> tuple[Array, EncoderCache]:
        a, norm1 = self.norm1.forward(x)
        a, attention = self.attention.forward(a, a, training, lengths=lengths)
        a, drop1 = self.drop1.forward(a, training)
        h = add(x, a)                                                   # (ENCB.1)
        f, norm2 = self.norm2.forward(h)
        f, mlp = self.mlp.forward(f, training)
        f, drop2 = self.drop2.forward(f, training)
        out = add(h, f)                                                 # (ENCB.2)
        return out, EncoderCache(norm1, attention, drop1, norm2, mlp, drop2)

    def backward(self, dout: Array, cache: EncoderCache) -> Array:
        df = self.mlp.backward(self.drop2.backward(dout, cache.drop2), cache.mlp)
        dh = add(dout, self.norm2.backward(df, cache.norm2))
        asked, seen = self.attention.backward(self.drop1.backward(dh, cache.drop1), cache.attention)
        assert asked is not None and seen is not None
        da = add(asked, seen)                                           # (ENCB.3)
        return add(dh, self.norm1.backward(da, cache.norm1))


class DecoderCache(NamedTuple):
    """The caches of the layers of a DecoderBlock."""

    norm1: Any
    attention: Any
    drop1: Any
    norm2: Any
    cross: Any
    drop2: Any
    norm3: Any
    mlp: Any
    drop3: Any


class DecoderBlock(Module):
    """A block that writes: a position sees the earlier ones of the target, then all of the source.

    (DECB.1)  g   = x + causal(norm1(x))
    (DECB.2)  h   = g + cross(norm2(g), memory, lengths)
    (DECB.3)  out = h + mlp(norm3(h))

    x, out (N, T, C), memory (N, S, C). Behind the end of a target, the positions see padding, but the mask of
    `causal` hides the padding from all positions before it.
    """

    def __init__(
        self, features: int, heads: int, *, dropout: float, rng: np.random.Generator, dtype: Any
    ):
        self.norm1 = LayerNorm(features, dtype=dtype)
        self.attention = CausalSelfAttention(features, heads, rng=rng, dtype=dtype)
        self.norm2 = LayerNorm(features, dtype=dtype)
        self.cross = CrossAttention(features, heads, rng=rng, dtype=dtype)
        self.norm3 = LayerNorm(features, dtype=dtype)
        self.mlp = feed_forward(features, rng=rng, dtype=dtype)
        self.drop1, self.drop2, self.drop3 = (Dropout(dropout, rng=r) for r in rng.spawn(3))

    def forward(
        self, x: Array, memory: Array, lengths: Array, training: bool
    ) -> tuple[Array, DecoderCache]:
        a, norm1 = self.norm1.forward(x)
        a, attention = self.attention.forward(a, training)
        a, drop1 = self.drop1.forward(a, training)
        g = add(x, a)                                                   # (DECB.1)
        c, norm2 = self.norm2.forward(g)
        c, cross = self.cross.forward(c, memory, training, lengths=lengths)
        c, drop2 = self.drop2.forward(c, training)
        h = add(g, c)                                                   # (DECB.2)
        f, norm3 = self.norm3.forward(h)
        f, mlp = self.mlp.forward(f, training)
        f, drop3 = self.drop3.forward(f, training)
        out = add(h, f)                                                 # (DECB.3)
        return out, DecoderCache(norm1, attention, drop1, norm2, cross, drop2, norm3, mlp, drop3)

    def backward(self, dout: Array, cache: DecoderCache) -> tuple[Array, Array]:
        """Return (dx, dmemory)."""
        df = self.mlp.backward(self.drop3.backward(dout, cache.drop3), cache.mlp)
        dh = add(dout, self.norm3.backward(df, cache.norm3))
        dc, dmemory = self.cross.backward(self.drop2.backward(dh, cache.drop2), cache.cross)
        assert dc is not None and dmemory is not None
        dg = add(dh, self.norm2.backward(dc, cache.norm2))
        da = self.attention.backward(self.drop1.backward(dg, cache.drop1), cache.attention)
        return add(dg, self.norm1.backward(da, cache.norm1)), dmemory

    def step(self, x: Array, known: dict[str, Array], within: Array, t: int) -> Array:
        """Compute one more position: x (N, C) at position t -> out (N, C), equal to row t of forward.

        known : "keys" and "values" of the earlier positions, into which those of t are written, and
            "memory_keys" and "memory_values" of the source
        """
        g = x + self.attention.step(self.norm1.forward(x)[0], known["keys"], known["values"], t)
        c = self.norm2.forward(g)[0]
        h = g + self.cross.step(c, known["memory_keys"], known["memory_values"], within)
        return h + self.mlp.forward(self.norm3.forward(h)[0])[0]
