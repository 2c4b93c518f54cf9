"""Twins of layers/attention.py. Examples are divided between threads; softmax and mask are one loop.

A causal row is computed only at the positions that the mask allows, half of them on average.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp
from scratchgen.kernels.shapes import expects
from scratchgen.runtime import threads


@expects(qkv="n t c3")
def attention(qkv: np.ndarray, heads: int, causal: bool) -> tuple[np.ndarray, np.ndarray]:
    n, t, features = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    _expect_heads("attention", qkv.shape[2], features, heads)
    q, k, v = _split(qkv, heads)
    scale = qkv.dtype.type(q.shape[3] ** -0.5)
    p, y = np.empty((n, heads, t, t), qkv.dtype), np.empty((n, t, features), qkv.dtype)
    y_by_head = _by_head(y, heads)

    def work(part: slice) -> None:
        np.matmul(q[part], k[part].swapaxes(2, 3), out=p[part])
        flat = p[part].reshape(-1, t, t)
        _softmax(flat, scale, causal, flat)
        np.matmul(p[part], v[part], out=y_by_head[part])

    threads.share(work, n, _enough(t, features))
    return y, p


@expects(dy="n t c", qkv="n t c3", p="n h t t")
def attention_backward(dy: np.ndarray, qkv: np.ndarray, p: np.ndarray, causal: bool) -> np.ndarray:
    heads, t, features = p.shape[1], p.shape[2], dy.shape[2]
    _expect_heads("attention_backward", qkv.shape[2], features, heads)
    q, k, v = _split(qkv, heads)
    dqkv = np.empty(qkv.shape, qkv.dtype)
    dq, dk, dv = _split(dqkv, heads)
    scale, dy = qkv.dtype.type(q.shape[3] ** -0.5), _by_head(dy, heads)

    def work(part: slice) -> None:
        np.matmul(p[part].swapaxes(2, 3), dy[part], out=dv[part])
        dscores = np.empty(p[part].shape, p.dtype)      # in C order, so that `flat` is a view
        np.matmul(dy[part], v[part].swapaxes(2, 3), out=dscores)
        flat = dscores.reshape(-1, t, t)
        _softmax_backward(flat, p[part].reshape(-1, t, t), scale, causal, flat)
        np.matmul(dscores, k[part], out=dq[part])
        np.matmul(dscores.swapaxes(2, 3), q[part], out=dk[part])

    threads.share(work, len(p), _enough(t, features))
    return dqkv


def _expect_heads(who: str, width: int, features: int, heads: int) -> None:
    """Check that qkv has 3·C columns, and that each head gets an equal part of C."""
    if width != 3 * features or heads < 1 or features % heads:
        raise ValueError(f"{who} expected qkv of 3·{features} columns for {heads} heads, got {width}")


def _split(qkv: np.ndarray, heads: int) -> np.ndarray:
    """q, k and v of each head, (3, N, H, T, D), a view into (N, T, 3C)."""
    n, t, _ = qkv.shape
    return qkv.reshape(n, t, 3, heads, -1).transpose(2, 0, 3, 1, 4)


def _by_head(y: np.ndarray, heads: int) -> np.ndarray:
    """A view of (N, T, C) as (N, H, T, D)."""
    return y.reshape(*y.shape[:2], heads, -1).swapaxes(1, 2)


def _enough(t: int, features: int) -> int:
    """The number of examples of t positions that is enough work for one thread."""
    return threads.enough(2 * t * t * features, threads.PRODUCTS)


@kernel("contract", "reassoc", "nsz")
def _softmax(scores, scale, causal, p):
    heads, length, _ = scores.shape
    zero, one = scores.dtype.type(0), scores.dtype.type(1)
    for m in range(heads):
        for t in range(length):
            seen = t + 1 if causal else length
            highest = scores[m, t, 0]
            for s in range(1, seen):
                highest = max(highest, scores[m, t, s])
            norm = zero
            for s in range(seen):
                e = exp(scale * (scores[m, t, s] - highest))
                p[m, t, s] = e
                norm += e
            scale_p = one / norm
            for s in range(seen):
                p[m, t, s] *= scale_p
            for s in range(seen, length):
                p[m, t, s] = zero


@kernel("contract", "reassoc", "nsz")
def _softmax_backward(dp, p, scale, causal, dscores):
    heads, length, _ = dp.shape
    zero = dp.dtype.type(0)
    for m in range(heads):
        for t in range(length):
            seen = t + 1 if causal else length
            weighted_sum = zero
            for s in range(seen):
                weighted_sum += dp[m, t, s] * p[m, t, s]
            for s in range(seen):
                dscores[m, t, s] = scale * p[m, t, s] * (dp[m, t, s] - weighted_sum)
            for s in range(seen, length):
                dscores[m, t, s] = zero
