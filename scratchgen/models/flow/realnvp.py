"""RealNVP: couplings that stretch and move, in masks that suit vectors or images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.layers import AffineCoupling, Bijection, Conv2d, Scaling, Sequential, SiLU, Squeeze
from scratchgen.models.flow.model import Flow
from scratchgen.models.networks import dense


class RealNVP(Flow):
    """A scaling layer, then affine couplings (Dinh et al. 2017).

    Other than NICE's, its log-determinant depends on x, (RNVP.4). Build it with RealNVP.dense for vectors or
    RealNVP.convolutional for images; `fit` starts the scaling layer from the data's spread.
    """

    @classmethod
    def dense(
        cls,
        features: int = 2,
        hidden: Sequence[int] = (64, 64),
        couplings: int = 8,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
        bound: float = 2.0,
        **settings: Any,
    ) -> Self:
        """Couplings that keep the first half and the second in turn, conditioned by SiLU nets.

        Raises ValueError for odd features, which can't be halved, and for fewer than two couplings.
        """
        if features < 2 or features % 2:
            raise ValueError(f"{cls.__name__} expected an even number of features to halve, got {features}")
        _expect_two(cls.__name__, couplings)
        half = features // 2
        layers: list[Bijection] = [Scaling(features, dtype=dtype)]
        for i in range(couplings):
            net = _silenced(dense((half, *hidden, features), rng=rng, dtype=dtype))
            layers.append(AffineCoupling(net, ("first", "second")[i % 2], bound))
        return cls(layers, features, **settings)

    @classmethod
    def convolutional(
        cls,
        shape: tuple[int, int, int] = (28, 28, 1),
        channels: int = 32,
        couplings: int = 4,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
        bound: float = 2.0,
        **settings: Any,
    ) -> Self:
        """`couplings` couplings on a checkerboard, a squeeze, and as many on halves of the channels.

        Their conditioners are three convolutions of 3×3. Raises ValueError for odd height or width, and for
        fewer than two couplings.
        """
        height, width, depth = shape
        if height % 2 or width % 2:
            raise ValueError(f"{cls.__name__} expected images of even height and width, got shape {shape}")
        _expect_two(cls.__name__, couplings)
        kind = {"rng": rng, "dtype": dtype}
        layers: list[Bijection] = [Scaling(*shape, dtype=dtype)]
        for i in range(couplings):
            net = _convolutions(depth, channels, **kind)
            layers.append(AffineCoupling(net, ("dark", "light")[i % 2], bound))
        layers.append(Squeeze())
        for i in range(couplings):
            net = _convolutions(2 * depth, channels, **kind)
            layers.append(AffineCoupling(net, ("first", "second")[i % 2], bound))
        return cls(layers, height * width * depth, shape=shape, **settings)


def _convolutions(depth: int, channels: int, **kind: Any) -> Sequential:
    return _silenced(
        Sequential(
            Conv2d(depth, channels, 3, padding=1, **kind),
            SiLU(),
            Conv2d(channels, channels, 3, padding=1, **kind),
            SiLU(),
            Conv2d(channels, 2 * depth, 3, padding=1, **kind),
        )
    )


def _silenced(net: Sequential) -> Sequential:
    """The net with a last layer of zeros: a coupling that starts as the identity."""
    net[-1].parameters()["weight"].value[...] = 0
    return net


def _expect_two(who: str, couplings: int) -> None:
    if couplings < 2:
        raise ValueError(f"{who} expected two or more couplings, as one leaves a half, got {couplings}")
