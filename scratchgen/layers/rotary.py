"""Rotary positions: queries and keys are rotated by an angle that grows with their position.

Derived in docs/attention.md.
"""

from __future__ import annotations

import numpy as np

from scratchgen.checks import Array, expect_count

BASE = 10_000.0     # the slowest of many pairs turns once in about 2π·BASE positions


def rotary(x: Array, start: int = 0, *, inverse: bool = False) -> Array:
    """x (…, T, D) with position t rotated as position start + t, in pairs of entries i and i + D/2.

    (ROPE.1)  angle = (start + t)·base^(−2i/D)              (T, D/2), base = 10,000
    (ROPE.2)  out   = [x₁·cos − x₂·sin, x₁·sin + x₂·cos]    x = [x₁, x₂], each (…, T, D/2)
    (ROPE.3)  dx    = [dout₁·cos + dout₂·sin, −dout₁·sin + dout₂·cos]

    A rotation keeps lengths, and the product of a query at t with a key at s depends on t − s alone. The
    backward pass is the rotation by the opposite angle, `rotary(dout, start, inverse=True)`. Source: Su et
    al. 2021, section 3.2.

    Raises ValueError for an odd D, and for a negative start.
    """
    expect_count("rotary", "start", start, least=0)
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"rotary expected an array (…, T, D) with an even D, got shape {x.shape}")
    steps, half = x.shape[-2], x.shape[-1] // 2
    angle = (start + np.arange(steps))[:, None] * BASE ** (-np.arange(half) / half)     # (ROPE.1)  (T, D/2)
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    if inverse:
        sin = -sin                                                          # (ROPE.3)
    x1, x2 = x[..., :half], x[..., half:]
    return np.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)          # (ROPE.2)
