"""Cross-attention: the positions of one sequence see those of another one. Derived in docs/translation.md."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, describe, float_dtype, is_plain_array, positive
from scratchgen.kernels import compiled
from scratchgen.layers.attention import join_heads, split_heads
from scratchgen.layers.base import CheckedModule
from scratchgen.layers.lengths import within_lengths
from scratchgen.layers.linear import Linear


def masked_softmax(scores: Array, within: Array | None) -> Array:
    """softmax over the last axis, of the entries that are `within`; the others get the weight 0.

    within : of bool, broadcasts to the scores; None for all. Each row needs at least one True
    """
    if within is not None:
        scores = np.where(within, scores, -np.inf)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dp: Array, p: Array) -> Array:
    """The gradient of the scores, given that of p = softmax(scores) on the last axis; zero where p is."""
    return p * (dp - (p * dp).sum(axis=-1, keepdims=True))              # (XATT.8)


@compiled
def cross_attention(q: Array, k: Array, v: Array, within: Array | None) -> tuple[Array, Array]:
    """(y, p) for queries q (N, H, T, D), and keys and values k, v (N, H, S, D).

    y (N, T, C) holds the attended values of all heads, p (N, H, T, S) the weights. within (N, 1, 1, S)
    """
    scores = q.shape[3] ** -0.5 * (q @ k.swapaxes(2, 3))                # (XATT.3)  (N, H, T, S)
    p = masked_softmax(scores, within)                                  # (XATT.4)
    return join_heads((p @ v)[None]), p                                 # (XATT.5)


@compiled
def cross_attention_backward(
    dy: Array, q: Array, k: Array, v: Array, p: Array
) -> tuple[Array, Array]:
    """dq (N, H, T, D), and dk and dv as one array (2, N, H, S, D), given dy (N, T, C) and p."""
    dy = split_heads(dy, q.shape[1], parts=1)[0]                        # (N, H, T, D)
    dv, dp = p.swapaxes(2, 3) @ dy, dy @ v.swapaxes(2, 3)               # (XATT.7)  y = p·v
    dscores = softmax_backward(dp, p)                                   # (XATT.8)  p = softmax(scores)
    scale = q.shape[3] ** -0.5
    dq, dk = scale * (dscores @ k), scale * (dscores.swapaxes(2, 3) @ q)    # (XATT.9)  scores = q·kᵀ / √D
    return dq, np.stack([dk, dv])


def expect_memory(who: str, x: Array, memory: Array, features: int) -> None:
    """Check that memory is (N, S, features) with S ≥ 1, for queries x (N, T, C), in the same dtype."""
    if not is_plain_array(memory) or memory.dtype != x.dtype:
        raise TypeError(f"{who} expected memory of dtype {x.dtype}, as x has, got {describe(memory)}")
    if memory.ndim != 3 or len(memory) != len(x) or memory.shape[1] < 1 or memory.shape[2] != features:
        raise ValueError(
            f"{who} expected memory of shape ({len(x)}, S, {features}) with S of at least 1, "
            f"got {memory.shape}"
        )


class CrossAttentionCache(NamedTuple):
    """What backward of CrossAttention needs."""

    x: Array        # (N, T, C): the sequence that asks
    memory: Array   # (N, S, M): the sequence that is seen
    q: Array        # (N, H, T, D)
    k: Array        # (N, H, S, D)
    v: Array        # (N, H, S, D)
    p: Array        # (N, H, T, S): row t holds the weights with which position t sees the memory
    y: Array        # (N, T, C): the attended values of all heads, the input of the last affine map


class CrossAttention(CheckedModule):
    """Attention with H heads, whose queries come from x, and whose keys and values come from a memory.

    For each example and each head, with D = C / H:

    (XATT.1)   q      = the part of x·W_q + b_q              (T, D)
    (XATT.2)   k, v   = the parts of memory·W_kv + b_kv      (S, D) each
    (XATT.3)   scores = q·kᵀ / √D                            (T, S)
    (XATT.4)   p      = softmax(scores), row by row, over the positions s < length alone
    (XATT.5)   y      = p·v                                  (T, D)
    (XATT.6)   out    = [y of all heads]·W' + b'
    (XATT.7)   dv     = pᵀ·dy,  dp = dy·vᵀ
    (XATT.8)   dscores = p·(dp − Σ_s p·dp)                   zero in the padding, where p is zero
    (XATT.9)   dq     = dscores·k / √D,  dk = dscoresᵀ·q / √D
    (XATT.10)  dx     = dq·W_qᵀ
    (XATT.11)  dmemory = [dk, dv]·W_kvᵀ                      zero in the padding

    x (N, T, C), memory (N, S, M), out (N, T, C). Every position of x sees all of the memory. With x as the
    memory, it is self-attention over padded sequences. A module with two inputs is no Layer:

        out, cache = layer.forward(x, memory, lengths=lengths)
        dx, dmemory = layer.backward(dout, cache)

    lengths : (N,) integers from 1 to S, to ignore the rest of each memory; None for none

    Source: Vaswani et al. 2017, section 3.2.3. Derived in docs/translation.md.

    features, heads : C and H; C must be a multiple of H
    memory_features : M, by default C
    rng : a Generator or an integer seed

    Raises ValueError if C is not a multiple of H, and for inputs and lengths that do not match.
    """

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        memory_features: int | None = None,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        who = "CrossAttention"
        positive(who, features=features, heads=heads)
        memory_features = features if memory_features is None else memory_features
        positive(who, memory_features=memory_features)
        if features % heads:
            raise ValueError(f"{who} expected features to be a multiple of heads, got {features} and {heads}")
        dtype, rng = float_dtype(who, dtype), as_generator(who, rng)
        self.features, self.heads, self.memory_features = features, heads, memory_features
        self.query = Linear(features, features, rng=rng, dtype=dtype)
        self.key_value = Linear(memory_features, 2 * features, rng=rng, dtype=dtype)
        self.proj = Linear(features, features, rng=rng, dtype=dtype)

    def forward(
        self, x: Array, memory: Array, training: bool = False, *, lengths: Any = None
    ) -> tuple[Array, CrossAttentionCache]:
        """Return (out, cache): out (N, T, C)."""
        self.expect(x, features=self.features, ndim=3)
        expect_memory("CrossAttention", x, memory, self.memory_features)
        within = within_lengths("CrossAttention", lengths, *memory.shape[:2])
        if x.shape[1] < 1:
            raise ValueError(f"CrossAttention expected at least one position, got shape {x.shape}")
        q = split_heads(self.query.forward(x)[0], self.heads, parts=1)[0]   # (XATT.1)  (N, H, T, D)
        k, v = self.keys_values(memory)                                     # (XATT.2)  (N, H, S, D)
        y, p = cross_attention(q, k, v, None if within is None else within[:, None, None])
        out, _ = self.proj.forward(y)                                       # (XATT.6)  (N, T, C)
        return out, CrossAttentionCache(x, memory, q, k, v, p, y)

    def backward(
        self, dout: Array, cache: CrossAttentionCache, input_grad: bool = True
    ) -> tuple[Array | None, Array | None]:
        """Return (dx, dmemory), or (None, None) without input_grad; add the parameters' gradients."""
        x, memory, q, k, v, p, y = cache
        self.expect_gradient(dout, x.shape, x.dtype)
        dy: Any = self.proj.backward(dout, y)
        dq, dkv = cross_attention_backward(dy, q, k, v, p)
        dx = self.query.backward(join_heads(dq[None]), x, input_grad)       # (XATT.10) q = x·W_q + b_q
        dmemory = self.key_value.backward(join_heads(dkv), memory, input_grad)          # (XATT.11)
        return dx, dmemory

    def keys_values(self, memory: Array) -> Array:
        """The keys and values of a memory (N, S, M): (2, N, H, S, D)."""
        return split_heads(self.key_value.forward(memory)[0], self.heads, parts=2)

    def step(self, x: Array, keys: Array, values: Array, within: Array) -> Array:
        """Compute one position: x (N, C) -> out (N, C), with the keys and values that `keys_values` returns.

        within : (N, S) of bool, whether each position of the memory is seen
        """
        q = split_heads(self.query.forward(x)[0][:, None], self.heads, parts=1)[0]
        y, _ = cross_attention(q, keys, values, within[:, None, None])
        return self.proj.forward(y[:, 0])[0]

    def __repr__(self) -> str:
        return f"CrossAttention({self.features}, {self.heads}, memory_features={self.memory_features})"
