"""RealNVP: affine couplings, with masks for vectors or images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.layers import AffineCoupling, Bijection, Conv2d, Scaling, Sequential, SiLU, Squeeze
from scratchgen.models.arguments import as_dtype, count, finite, image_shape, widths
from scratchgen.models.flow.model import Flow, expect_sizes, mask_widths
from scratchgen.models.networks import dense


class RealNVP(Flow):
    """A scaling layer, then affine couplings (Dinh et al. 2017).

    Unlike that of NICE, its log-determinant depends on x, (RNVP.4). `RealNVP.dense` is for vectors and
    `RealNVP.convolutional` for images; `fit` starts the scaling layer from the spread of the data.
    """

    @classmethod
    def dense(
        cls,
        features: int = 2,
        hidden: int | Sequence[int] = (64, 64),
        couplings: int = 8,
        *,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        bound: float = 2.0,
        **settings: Any,
    ) -> Self:
        """Couplings that alternately keep the first and the second half of the features.

        hidden : widths of the conditioners' hidden layers, which are followed by SiLU
        bound : the largest |log-scale| in each coupling
        settings : the other arguments of Flow (prior, levels)

        If the number of features is odd, the first half has one more feature. Raises ValueError for fewer
        than two features, and for fewer than two couplings.
        """
        who = f"{cls.__name__}.dense"
        rng, dtype, hidden = as_generator(who, rng), as_dtype(who, dtype), widths(who, "hidden", hidden)
        expect_sizes(who, features, couplings)
        bound = finite(who, "bound", bound, above=0)
        layers: list[Bijection] = [Scaling(features, dtype=dtype)]
        for i in range(couplings):
            mask = ("first", "second")[i % 2]
            kept, moved = mask_widths(mask, features)
            net = _starting_at_zero(dense((kept, *hidden, 2 * moved), rng=rng, dtype=dtype))
            layers.append(AffineCoupling(net, mask, bound))
        return cls(layers, features, **settings)

    @classmethod
    def convolutional(
        cls,
        shape: tuple[int, int, int] = (28, 28, 1),
        channels: int = 32,
        couplings: int = 4,
        *,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        bound: float = 2.0,
        **settings: Any,
    ) -> Self:
        """`couplings` couplings on a checkerboard, a squeeze, and `couplings` on halves of the channels.

        The conditioners are three 3×3 convolutions with `channels` channels.

        shape : (H, W, C) of the images, with H and W even; examples are rows of H·W·C numbers
        settings : the other arguments of Flow (prior, levels)

        Raises ValueError for fewer than two couplings.
        """
        who = f"{cls.__name__}.convolutional"
        shape = height, width, depth = image_shape(who, shape)
        if height % 2 or width % 2:
            raise ValueError(
                f"{who} expected shape (H, W, C) with even H and W, got {shape}: the squeeze turns 2×2 "
                "pixels into one with four times the channels. Crop or pad the images, or use RealNVP.dense"
            )
        expect_sizes(who, height * width * depth, couplings)
        channels, bound = count(who, "channels", channels), finite(who, "bound", bound, above=0)
        net_args: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": as_dtype(who, dtype)}
        layers: list[Bijection] = [Scaling(*shape, dtype=dtype)]
        for i in range(couplings):
            net = _convolutions(depth, channels, **net_args)
            layers.append(AffineCoupling(net, ("dark", "light")[i % 2], bound))
        layers.append(Squeeze())
        for i in range(couplings):
            net = _convolutions(2 * depth, channels, **net_args)
            layers.append(AffineCoupling(net, ("first", "second")[i % 2], bound))
        return cls(layers, height * width * depth, shape=shape, **settings)


def _convolutions(depth: int, channels: int, **net_args: Any) -> Sequential:
    return _starting_at_zero(
        Sequential(
            Conv2d(depth, channels, 3, padding=1, **net_args),
            SiLU(),
            Conv2d(channels, channels, 3, padding=1, **net_args),
            SiLU(),
            Conv2d(channels, 2 * depth, 3, padding=1, **net_args),
        )
    )


def _starting_at_zero(net: Sequential) -> Sequential:
    """Set the last layer of a network to zero, so that its coupling starts as the identity."""
    net[-1].parameters()["weight"].value[...] = 0
    return net
