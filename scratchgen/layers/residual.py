"""A residual block with a second input, the embedding of a time, which is added to every channel.

The same class serves images, with convolutions, and vectors, with dense layers. Derived in docs/diffusion.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import (
    Array,
    as_generator,
    describe,
    expect_number,
    float_dtype,
    is_plain_array,
    positive,
)
from scratchgen.layers.activations import SiLU
from scratchgen.layers.arrays import add, add_to_pixels, sum_over_pixels
from scratchgen.layers.base import CheckedModule, Layer
from scratchgen.layers.conv import Conv2d
from scratchgen.layers.dropout import Dropout
from scratchgen.layers.group_norm import GroupNorm
from scratchgen.layers.linear import Linear
from scratchgen.layers.normalisation import LayerNorm
from scratchgen.layers.sequential import Sequential


class ResidualBlockCache(NamedTuple):
    """What ResidualBlock.backward needs."""

    out_shape: tuple[int, ...]
    e: Array            # (N, E): the embedding
    first: Any          # the caches of the sublayers
    second: Any
    skip: Any


class ResidualBlock(CheckedModule):
    """Two layers whose result is added to the input; between them, a time embedding e shifts every channel.

    (RES.1)  a   = first(x)
    (RES.2)  h   = a + W·e + b                  one number per channel, the same for all pixels
    (RES.3)  out = skip(x) + second(h)          skip is the identity if the number of channels stays
    (RES.4)  dh  = J_secondᵀ·dout
    (RES.5)  de  = Wᵀ·Σ dh                      summed over the pixels; W and b get their gradients here
    (RES.6)  dx  = J_skipᵀ·dout + J_firstᵀ·dh   x is used twice

    It has two inputs, so it is no Layer. Its forward takes both, and its backward returns both gradients:

        out, cache = block.forward(x, e, training=False)
        dx, de = block.backward(dout, cache)

    x (N, …, C_in), e (N, E), out (N, …, C_out). Source: He et al. 2016 for the sum; Ho et al. 2020, appendix
    B, for the time. Derived in docs/diffusion.md.

    first, second : layers (N, …, C_in) -> (N, …, C_out) and (N, …, C_out) -> (N, …, C_out)
    shift : the Linear layer with W (E, C_out) and b
    skip : a layer (N, …, C_in) -> (N, …, C_out), or None for the identity

    Raises TypeError for anything but layers, and for x, e or dout of another dtype; ValueError for arrays
    whose shapes do not fit.
    """

    def __init__(self, first: Layer, second: Layer, shift: Linear, skip: Layer | None = None):
        for name, layer in (("first", first), ("second", second), ("shift", shift), ("skip", skip)):
            optional = name == "skip" and layer is None
            kind, wanted = (Linear, "a Linear") if name == "shift" else (Layer, "a layer")
            if not optional and not isinstance(layer, kind):
                raise TypeError(f"ResidualBlock expected {name} to be {wanted}, got {layer!r}")
        self.first, self.second, self.shift, self.skip = first, second, shift, skip

    @classmethod
    def image(
        cls,
        in_channels: int,
        out_channels: int,
        embedding: int,
        *,
        groups: int = 8,
        dropout: float = 0.0,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ) -> ResidualBlock:
        """A block for images: first and second are GroupNorm, SiLU and a 3×3 convolution.

        The last convolution starts at zero, so the block starts as its skip. Raises ValueError unless both
        numbers of channels are multiples of `groups`.
        """
        who = "ResidualBlock.image"
        positive(who, in_channels=in_channels, out_channels=out_channels, embedding=embedding, groups=groups)
        expect_number(who, "dropout", dropout, least=0, below=1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{who} expected in_channels and out_channels to be multiples of groups={groups}, "
                f"got {in_channels} and {out_channels}"
            )
        rng = as_generator(who, rng)
        net: dict[str, Any] = {"rng": rng, "dtype": float_dtype(who, dtype)}
        first = Sequential(
            GroupNorm(groups, in_channels, dtype=dtype),
            SiLU(),
            Conv2d(in_channels, out_channels, 3, padding=1, **net),
        )
        second = Sequential(
            GroupNorm(groups, out_channels, dtype=dtype),
            SiLU(),
            Dropout(dropout, rng=rng.spawn(1)[0]),
            Conv2d(out_channels, out_channels, 3, padding=1, init=zeros, **net),
        )
        shift = Linear(embedding, out_channels, **net)
        skip = None if in_channels == out_channels else Conv2d(in_channels, out_channels, 1, **net)
        return cls(first, second, shift, skip)

    @classmethod
    def dense(
        cls,
        features: int,
        embedding: int,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ) -> ResidualBlock:
        """A block for vectors: first is LayerNorm and Linear, second is SiLU and Linear.

        The last Linear starts at zero, so the block starts as the identity.
        """
        who = "ResidualBlock.dense"
        positive(who, features=features, embedding=embedding)
        net: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": float_dtype(who, dtype)}
        first = Sequential(LayerNorm(features, dtype=dtype), Linear(features, features, **net))
        second = Sequential(SiLU(), Linear(features, features, init=zeros, **net))
        return cls(first, second, Linear(embedding, features, **net))

    def forward(self, x: Array, e: Array, training: bool = False) -> tuple[Array, ResidualBlockCache]:
        self.expect(x)
        self._expect_embedding(e, x)
        a, first = self.first.forward(x, training)                      # (RES.1)
        shift, _ = self.shift.forward(e)                                # (N, C)
        h = add_to_pixels(a, shift)                                     # (RES.2)
        out, second = self.second.forward(h, training)
        shortcut, skip = (x, None) if self.skip is None else self.skip.forward(x)
        return add(shortcut, out), ResidualBlockCache(out.shape, e, first, second, skip)    # (RES.3)

    def backward(
        self, dout: Array, cache: ResidualBlockCache, input_grad: bool = True
    ) -> tuple[Array | None, Array]:
        """Return (dx, de). dx is None if input_grad is False."""
        self.expect_gradient(dout, cache.out_shape, cache.e.dtype)
        dh = self.second.backward(dout, cache.second)                   # (RES.4)
        dshift = sum_over_pixels(dh)                                    # (N, C)
        de = self.shift.backward(dshift, cache.e)                       # (RES.5)
        dfirst = self.first.backward(dh, cache.first, input_grad)
        dskip = dout if self.skip is None else self.skip.backward(dout, cache.skip, input_grad)
        return (add(dskip, dfirst) if input_grad else None), de         # (RES.6)

    def _expect_embedding(self, e: Array, x: Array) -> None:
        if not is_plain_array(e) or e.dtype != x.dtype:
            raise TypeError(f"ResidualBlock expected e of dtype {x.dtype}, as x has, got {describe(e)}")
        wanted = (*x.shape[:1], self.shift.in_features)
        if e.shape != wanted:
            raise ValueError(f"ResidualBlock expected e of shape {wanted}, a row per example, got {e.shape}")


def zeros(
    shape: tuple[int, ...], fan_in: int, fan_out: int, *, rng: Any = None, dtype: DTypeLike = np.float32
) -> Array:
    """An initializer that gives zeros, for the last layer of a branch that is added to another."""
    return np.zeros(shape, dtype)
