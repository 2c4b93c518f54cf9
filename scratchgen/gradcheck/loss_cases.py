"""The gradient cases of losses."""

from __future__ import annotations

import numpy as np

from scratchgen import losses
from scratchgen.gradcheck.cases import LossCase


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(size=shape)


def _labels(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, shape[1], shape[0])


LOSSES = (
    LossCase("squared_error", losses.squared_error, _normal),
    LossCase("squared_error images", losses.squared_error, _uniform, shape=(3, 2, 4, 1)),
    LossCase("absolute_error", losses.absolute_error, _normal, smooth=False),
    LossCase("bce_with_logits", losses.bce_with_logits, _uniform),
    LossCase("softmax_cross_entropy", losses.softmax_cross_entropy, _labels),
    LossCase("smoothed_cross_entropy", losses.smoothed_cross_entropy, _labels),
)
