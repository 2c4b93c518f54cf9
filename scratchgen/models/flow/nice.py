"""NICE: additive couplings and one scaling layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.initializers import he_normal
from scratchgen.layers import AdditiveCoupling, Bijection, Linear, ReLU, Scaling, Sequential
from scratchgen.layers.masks import MASKS
from scratchgen.models.arguments import as_dtype, widths
from scratchgen.models.flow.model import Flow, expect_sizes, mask_widths


class NICE(Flow):
    """Additive couplings that keep even and odd features in turn, then a scaling layer (Dinh et al. 2014).

    Couplings preserve volume, (NICE.3), so the log-determinant is that of the scaling layer, the same for all
    x: log p(x) = log p_Z(z) + Σ s.

    `NICE.dense` builds the layers; `fit` starts the scales from the spread of the data (`start_from`).
    """

    @classmethod
    def dense(
        cls,
        features: int = 784,
        hidden: int | Sequence[int] = (1000,) * 5,
        couplings: int = 4,
        *,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        prior: str = "logistic",
        levels: int | None = None,
    ) -> Self:
        """`couplings` couplings, whose conditioners are ReLU networks with the `hidden` widths.

        The last layer of each conditioner starts at zero, so that the flow starts as the scaling layer. If
        the number of features is odd, one more feature is at an even position than at an odd one.

        prior : "logistic" or "normal";  levels : number of grey levels to dequantise in `fit`, or None

        Raises ValueError for fewer than two features, and for fewer than two couplings, which would leave
        half of the features unchanged.
        """
        who = f"{cls.__name__}.dense"
        rng, dtype, hidden = as_generator(who, rng), as_dtype(who, dtype), widths(who, "hidden", hidden)
        expect_sizes(who, features, couplings)
        layers: list[Bijection] = []
        for i in range(couplings):
            mask = ("even", "odd")[i % 2]
            kept, moved = mask_widths(mask, features)
            net = conditioner(kept, hidden, moved, rng=rng, dtype=dtype)
            layers.append(AdditiveCoupling(net, mask))
        return cls([*layers, Scaling(features, dtype=dtype)], features, prior=prior, levels=levels)

    def start_from(self, X: np.ndarray) -> None:
        """Set the initial scales of the flow and of its conditioners from X (N, D).

        The scales of the flow are set as in Flow.start_from. Each conditioner of NICE.dense ends with a
        scaling layer, which is set to the standard deviations of the features that it moves. So a step of
        Adam moves each pixel in proportion to its standard deviation, and pixels that hardly vary are not
        moved too far. Other conditioners are not changed.
        """
        super().start_from(X)

    def _start_from(self, X: np.ndarray, method: str) -> None:
        log_std = np.log(self._spread_of(X, method))
        couplings = [layer for layer in self.layers if isinstance(layer, AdditiveCoupling)]
        for layer in couplings:
            last = layer.conditioner[-1] if isinstance(layer.conditioner, Sequential) else None
            if isinstance(last, Scaling):
                _, moved = MASKS[layer.mask].split(type(self).__name__, log_std[None])
                last.log_scale.value[...] = moved[0]
        super()._start_from(X, method)


def conditioner(
    kept: int, hidden: Sequence[int], moved: int, *, rng: np.random.Generator, dtype: Any
) -> Sequential:
    """A ReLU network from the kept features to a shift of the others, in units of their standard deviations.

    Its last Linear starts at zero.
    """
    layers: list[Any] = []
    for fan_in, fan_out in pairwise((kept, *hidden, moved)):
        layers += [Linear(fan_in, fan_out, rng=rng, dtype=dtype, init=he_normal), ReLU()]
    layers[-2].weight.value[...] = 0
    return Sequential(*layers[:-1], Scaling(moved, dtype=dtype))
