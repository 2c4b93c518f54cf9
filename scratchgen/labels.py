"""Class labels, checked where they come in, for losses, models and metrics alike."""

from __future__ import annotations

from typing import Any

import numpy as np


def expect_labels(who: str, y: Any, n: int, classes: int | None = None) -> np.ndarray:
    """y as an array, (n,), of whole numbers from 0 on, below `classes` where that is given.

    Raises ValueError for labels that are missing, of another number or out of range, TypeError for what is
    no integer.
    """
    if y is None:
        raise ValueError(f"{who} expected labels y, one an example, got none")
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(f"{who} expected {n} integer labels, one an example, got shape {y.shape}")
    if y.dtype.kind not in "iu":
        raise TypeError(f"{who} expected integer labels, got dtype {y.dtype}")
    limit = np.inf if classes is None else classes - 1
    if n and (y.min() < 0 or y.max() > limit):
        wanted = "from 0 on" if classes is None else f"in 0..{classes - 1}"
        raise ValueError(f"{who} expected labels {wanted}, got {y.min()}..{y.max()}")
    return y
