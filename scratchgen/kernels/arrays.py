"""Copying and adding large arrays, in blocks that threads share."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.parts import share


@kernel("contract")
def _copy(target, source):
    for i in range(target.size):
        target[i] = source[i]


@kernel("contract")
def _add(target, source):
    for i in range(target.size):
        target[i] += source[i]


def accumulate(target: np.ndarray, source: np.ndarray, add: bool) -> None:
    """target = source, or target += source, for contiguous arrays of the same shape and dtype."""
    share(_add if add else _copy, (target.reshape(-1), source.reshape(-1)))
