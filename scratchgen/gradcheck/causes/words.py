"""Words for the messages: numbers, lists, and parts of an array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scratchgen.gradcheck.evidence import Evidence


def number(a: float) -> str:
    """Up to six digits, without zeros at the end."""
    return f"{a:.6g}".replace("-", "−")


def join(words: Sequence[str], last: str = "or") -> str:
    """"a", "a or b", "a, b or c"."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def entries(e: Evidence) -> str:
    """The wrong entries as a subject: "every entry", or "every wrong entry" with their place."""
    others = ~e.wrong & ((np.abs(e.numeric) > e.tolerance) | (np.abs(e.claimed) > e.tolerance))
    return f"every wrong entry{region(e.wrong, e)}" if others.any() else "every entry"


def region(chosen: np.ndarray, e: Evidence) -> str:
    """" in input[:, 2:5]" if the chosen entries are a block of the array, and "" if they are not.

    An entry of the block at which both gradients are 0 does not have to be chosen.
    """
    if not e.complete or not chosen.any() or chosen.all():
        return ""
    sets = [np.flatnonzero(chosen.any(axis=tuple(a for a in range(chosen.ndim) if a != axis)))
            for axis in range(chosen.ndim)]     # fmt: skip
    block = np.zeros(chosen.shape, bool)
    block[np.ix_(*sets)] = True
    nothing = (np.abs(e.numeric) <= e.tolerance) & (np.abs(e.claimed) <= e.tolerance)
    if block.all() or not (chosen | nothing)[block].all():
        return ""
    parts = [_slice(indices, size) for indices, size in zip(sets, chosen.shape, strict=True)]
    return "" if None in parts else f" in {e.what}[{', '.join(str(part) for part in parts)}]"


def _slice(indices: np.ndarray, size: int) -> str | None:
    """":", "3", "2:5", "::2" for a regular choice of indices of an axis, None for others."""
    if len(indices) == size:
        return ":"
    if len(indices) == 1:
        return str(indices[0])
    steps = np.diff(indices)
    if (steps != steps[0]).any():
        return None
    first, end, step = indices[0], indices[-1] + 1, steps[0]
    text = f"{first or ''}:{end if end < size and (step == 1 or end + step - 1 < size) else ''}"
    return text if step == 1 else f"{text}:{step}"
