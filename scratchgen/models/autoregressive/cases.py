"""The gradient cases of autoregressive models and of their layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import LayerCase, ModelCase
from scratchgen.layers import MaskedConv2d, MaskedLinear
from scratchgen.models.autoregressive import MADE, PixelCNN


def _masked(rng: np.random.Generator, dtype: Any) -> MaskedLinear:
    return MaskedLinear(5, 3, rng.random((5, 3)) < 0.6, rng=rng, dtype=dtype)


def _masked_conv(rng: np.random.Generator, dtype: Any) -> MaskedConv2d:
    mask = np.array([[1, 0], [1, 1], [0, 1]]) > 0
    return MaskedConv2d(2, 3, mask, stride=(2, 1), padding=(1, 0), rng=rng, dtype=dtype)


def _pixelcnn(rng: np.random.Generator, dtype: Any) -> PixelCNN:
    model = PixelCNN((4, 3), channels=3, layers=2, first=3, rng=rng, dtype=dtype)
    for p in model.parameters().values():   # biases of 0 would put v in the first row at 0, the kink of r
        p.value += 0.3 * rng.standard_normal(p.shape)
    return model


LAYERS = (
    LayerCase("MaskedLinear", _masked, (7, 5)),
    LayerCase("MaskedLinear on sequences", _masked, (2, 3, 5)),
    LayerCase("MaskedConv2d", _masked_conv, (2, 5, 4, 2)),
)
MODELS = (
    ModelCase("MADE", lambda rng, dtype: MADE(9, (7,), rng=rng, dtype=dtype), (5, 9), smooth=False),
    ModelCase(
        "MADE of two layers, several orderings",
        lambda rng, dtype: MADE(9, (8, 7), orderings=3, rng=rng, dtype=dtype),
        (5, 9),
        smooth=False,
    ),
    ModelCase(
        "MADE conditional, random order",
        lambda rng, dtype: MADE(9, (8,), order="random", classes=4, rng=rng, dtype=dtype),
        (5, 9),
        classes=4,
        smooth=False,
    ),
    ModelCase("PixelCNN", _pixelcnn, (5, 12), smooth=False),
)
