"""The lengths of the sequences of a padded batch, and the mask that follows from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import Array, describe, is_plain_array


def within_lengths(who: str, lengths: Any, n: int, steps: int) -> Array | None:
    """(N, T) of bool: whether each step is within its sequence; None if lengths is None.

    lengths : (N,) integers from 1 to T. The steps behind a sequence are padding

    Raises TypeError for lengths that are not integers, ValueError for a wrong number of them and for lengths
    outside 1 … T. The message begins with `who`.
    """
    if lengths is None:
        return None
    wanted = f"{who} expected lengths to be {n} integers from 1 to {steps}, one per sequence"
    if isinstance(lengths, list | tuple):
        lengths = np.asarray(lengths)
    if not is_plain_array(lengths) or lengths.dtype.kind not in "iu":
        raise TypeError(f"{wanted}, got {describe(lengths)}")
    if lengths.shape != (n,):
        raise ValueError(f"{wanted}, got shape {lengths.shape}")
    if n and (lengths.min() < 1 or lengths.max() > steps):
        raise ValueError(f"{wanted}, got {lengths.min()} to {lengths.max()}")
    return np.arange(steps) < lengths[:, None]
