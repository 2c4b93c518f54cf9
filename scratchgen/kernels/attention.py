"""Twins of layers/attention.py. Threads share the examples; softmax and mask are one loop.

A causal row is computed only at the positions that the mask allows, half of them on average.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp
from scratchgen.kernels.panels import product
from scratchgen.kernels.parts import share
from scratchgen.kernels.plans import WORK
from scratchgen.kernels.products import code
from scratchgen.kernels.shapes import expects


@expects(qkv="n t c3")
def attention(qkv: np.ndarray, heads: int, causal: bool) -> tuple[np.ndarray, np.ndarray]:
    n, t, features = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    _expect_heads("attention", qkv.shape[2], features, heads)
    q, k, v = _split(qkv, heads)
    scale = qkv.dtype.type(q.shape[3] ** -0.5)
    p, y = np.empty((n, heads, t, t), qkv.dtype), np.empty((n, t, features), qkv.dtype)
    arrays = (q, k, v, p, _by_head(y, heads))
    share(_attend, arrays, (scale, causal, code(qkv.dtype)), each=_work(t, features), entries=WORK)
    return y, p


@expects(dy="n t c", qkv="n t c3", p="n h t t")
def attention_backward(dy: np.ndarray, qkv: np.ndarray, p: np.ndarray, causal: bool) -> np.ndarray:
    heads, t, features = p.shape[1], p.shape[2], dy.shape[2]
    _expect_heads("attention_backward", qkv.shape[2], features, heads)
    q, k, v = _split(qkv, heads)
    dqkv = np.empty(qkv.shape, qkv.dtype)
    dq, dk, dv = _split(dqkv, heads)
    scale = qkv.dtype.type(q.shape[3] ** -0.5)
    p, dy = np.ascontiguousarray(p), np.ascontiguousarray(dy)
    arrays, settings = (q, k, v, p, _by_head(dy, heads), dq, dk, dv), (scale, causal, code(qkv.dtype))
    share(_attend_backward, arrays, settings, each=2 * _work(t, features), entries=WORK)
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


def _work(t: int, features: int) -> int:
    """The multiplications of an example of t positions."""
    return 2 * t * t * features


@kernel("contract")
def _product(a, b, out, code):
    """out = a·b for matrices, in the calling thread; the rows of out are contiguous."""
    product(
        out.dtype.type(0), code, a.ctypes.data, a.strides[0], a.strides[1], b.ctypes.data, b.strides[0],
        b.strides[1], out.ctypes.data, out.strides[0], out.shape[0], out.shape[1], a.shape[1], 0,
    )


@kernel("contract")
def _attend(q, k, v, p, y, scale, causal, code):
    for n in range(q.shape[0]):
        for h in range(q.shape[1]):
            _product(q[n, h], k[n, h].T, p[n, h], code)
        _softmax(p[n], scale, causal, p[n])
        for h in range(q.shape[1]):
            _product(p[n, h], v[n, h], y[n, h], code)


@kernel("contract")
def _attend_backward(q, k, v, p, dy, dq, dk, dv, scale, causal, code):
    dscores = np.empty(p.shape[1:], p.dtype)
    for n in range(q.shape[0]):
        for h in range(q.shape[1]):
            _product(p[n, h].T, dy[n, h], dv[n, h], code)
            _product(dy[n, h], v[n, h].T, dscores[h], code)
        _softmax_backward(dscores, p[n], scale, causal, dscores)
        for h in range(q.shape[1]):
            _product(dscores[h], k[n, h], dq[n, h], code)
            _product(dscores[h].T, q[n, h], dk[n, h], code)


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
