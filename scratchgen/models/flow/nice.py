"""NICE: couplings that only add, and one scaling layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.initializers import he_normal
from scratchgen.layers import AdditiveCoupling, Linear, ReLU, Scaling, Sequential
from scratchgen.layers.masks import MASKS
from scratchgen.models.flow.model import Flow


class NICE(Flow):
    """Additive couplings on odd and even features in turn, then a scaling layer (Dinh et al. 2014).

    Couplings keep the volume, (NICE.3), so the scaling layer alone decides how much density there is, and it
    is the same everywhere: log p(x) = log p_Z(z) + Σ s.

    Build it with NICE.dense; `fit` starts the scales from the data's spread (`start_from`).
    """

    @classmethod
    def dense(
        cls,
        features: int = 784,
        hidden: Sequence[int] = (1000,) * 5,
        couplings: int = 4,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
        prior: str = "logistic",
        levels: int | None = None,
    ) -> Self:
        """`couplings` couplings, whose conditioners are ReLU nets of the `hidden` widths.

        The last layer of each conditioner starts at zero, so that the flow starts as the scaling layer alone.
        Raises ValueError for odd features, which can't be halved, and for fewer than two couplings, which
        would leave one half as it came.
        """
        if features < 2 or features % 2:
            raise ValueError(f"{cls.__name__} expected an even number of features to halve, got {features}")
        if couplings < 2:
            raise ValueError(f"{cls.__name__} expected two or more couplings, got {couplings}")
        half = features // 2
        layers = [
            AdditiveCoupling(conditioner(half, hidden, rng=rng, dtype=dtype), ("even", "odd")[i % 2])
            for i in range(couplings)
        ]
        return cls([*layers, Scaling(features, dtype=dtype)], features, prior=prior, levels=levels)

    def start_from(self, X):
        """Start the scales from the spread of X (N, D), as Flow.start_from does, and the conditioners too.

        Each conditioner of NICE.dense ends in a scaling layer of its own, which starts at the spread of the
        features that it moves: so its net speaks in units of that spread, and one step of Adam's moves a
        pixel that is always black no further, for its size, than one that is busy. Conditioners of another
        form are left as they are.
        """
        expect_examples(f"{type(self).__name__}.start_from", X, features=self.features, least=2)
        log_std = np.log(self.spread_of(X))
        for layer in self.layers:
            net = layer.conditioner if isinstance(layer, AdditiveCoupling) else None
            if isinstance(net, Sequential) and isinstance(net[-1], Scaling):
                _, moved = MASKS[layer.mask].split(type(self).__name__, log_std[None])
                net[-1].log_scale.value[...] = moved[0]
        super().start_from(X)


def conditioner(half: int, hidden: Sequence[int], *, rng: np.random.Generator, dtype: Any) -> Sequential:
    """A ReLU net from one half of the features to a shift for the other, in units of the data's spread.

    Its last Linear starts at zero.
    """
    layers: list[Any] = []
    for fan_in, fan_out in pairwise((half, *hidden, half)):
        layers += [Linear(fan_in, fan_out, rng=rng, dtype=dtype, init=he_normal), ReLU()]
    layers[-2].weight.value[...] = 0
    return Sequential(*layers[:-1], Scaling(half, dtype=dtype))
