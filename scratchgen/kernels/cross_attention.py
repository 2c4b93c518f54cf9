"""Twins of layers/cross_attention.py. Threads share the examples; softmax and mask are one loop."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.attention import _product
from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp
from scratchgen.kernels.parts import share
from scratchgen.kernels.plans import WORK
from scratchgen.kernels.products import code
from scratchgen.kernels.shapes import expects


@expects(q="n h t d", k="n h s d", v="n h s d", within="n 1 1 s bool ?")
def cross_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, within: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    (n, heads, t, d), s = q.shape, k.shape[2]
    if within is not None and within.shape != (n, 1, 1, s):
        raise ValueError(f"cross_attention expected within of shape {(n, 1, 1, s)}, got {within.shape}")
    seen = np.ones((n, s), bool) if within is None else np.ascontiguousarray(within[:, 0, 0])
    p, y = np.empty((n, heads, t, s), q.dtype), np.empty((n, t, heads * d), q.dtype)
    settings = q.dtype.type(d**-0.5), code(q.dtype)
    arrays = q, k, v, seen, p, _split(y, 1, heads)[0]
    share(_attend, arrays, settings, each=2 * t * s * heads * d, entries=WORK)
    return y, p


@expects(dy="n t c", q="n h t d", k="n h s d", v="n h s d", p="n h t s")
def cross_attention_backward(
    dy: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    (n, heads, t, d), s = q.shape, k.shape[2]
    if dy.shape[2] != heads * d:
        raise ValueError(f"cross_attention_backward expected dy of {heads}·{d} columns, got {dy.shape[2]}")
    dq = _split(np.empty((n, t, heads * d), q.dtype), 1, heads)[0]
    dkv = _split(np.empty((n, s, 2 * heads * d), q.dtype), 2, heads)
    arrays = q, k, v, np.ascontiguousarray(p), _split(np.ascontiguousarray(dy), 1, heads)[0], dq, *dkv
    settings = q.dtype.type(d**-0.5), code(q.dtype)
    share(_attend_backward, arrays, settings, each=4 * t * s * heads * d, entries=WORK)
    return dq, dkv


def _split(a: np.ndarray, parts: int, heads: int) -> np.ndarray:
    """A view of (N, T, parts·C) as (parts, N, H, T, D)."""
    n, t, _ = a.shape
    return a.reshape(n, t, parts, heads, -1).transpose(2, 0, 3, 1, 4)


@kernel("contract")
def _attend(q, k, v, seen, p, y, scale, code):
    for n in range(q.shape[0]):
        for h in range(q.shape[1]):
            _product(q[n, h], k[n, h].T, p[n, h], code)
        _masked_softmax(p[n], scale, seen[n])
        for h in range(q.shape[1]):
            _product(p[n, h], v[n, h], y[n, h], code)


@kernel("contract")
def _attend_backward(q, k, v, p, dy, dq, dk, dv, scale, code):
    dscores = np.empty(p.shape[1:], p.dtype)
    for n in range(q.shape[0]):
        for h in range(q.shape[1]):
            _product(p[n, h].T, dy[n, h], dv[n, h], code)
            _product(dy[n, h], v[n, h].T, dscores[h], code)
        _masked_softmax_backward(p[n], scale, dscores)
        for h in range(q.shape[1]):
            _product(dscores[h], k[n, h], dq[n, h], code)
            _product(dscores[h].T, q[n, h], dk[n, h], code)


@kernel("contract", "reassoc", "nsz")
def _masked_softmax(scores, scale, seen):
    """Replace scores (H, T, S) by their softmax over the positions that are seen."""
    zero, one = scores.dtype.type(0), scores.dtype.type(1)
    first = 0
    while first < seen.size - 1 and not seen[first]:
        first += 1
    for h in range(scores.shape[0]):
        for t in range(scores.shape[1]):
            row = scores[h, t]
            highest = row[first]
            for s in range(first, seen.size):
                if seen[s]:
                    highest = max(highest, row[s])
            norm = zero
            for s in range(seen.size):
                row[s] = exp(scale * (row[s] - highest)) if seen[s] else zero
                norm += row[s]
            for s in range(seen.size):
                row[s] *= one / norm


@kernel("contract", "reassoc", "nsz")
def _masked_softmax_backward(p, scale, dp):
    """Replace dp (H, T, S) by the gradient of the scores."""
    for h in range(p.shape[0]):
        for t in range(p.shape[1]):
            weighted_sum = p.dtype.type(0)
            for s in range(p.shape[2]):
                weighted_sum += dp[h, t, s] * p[h, t, s]
            for s in range(p.shape[2]):
                dp[h, t, s] = scale * p[h, t, s] * (dp[h, t, s] - weighted_sum)
