"""Additive attention: the score of a query and a position is a small network. See docs/translation.md."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, float_dtype, positive
from scratchgen.initializers import glorot_uniform
from scratchgen.layers.base import CheckedModule, Parameter, rows
from scratchgen.layers.cross_attention import expect_memory, masked_softmax, softmax_backward
from scratchgen.layers.lengths import within_lengths
from scratchgen.layers.linear import Linear


class AdditiveAttentionCache(NamedTuple):
    """What backward of AdditiveAttention needs."""

    x: Array        # (N, T, C): the queries
    memory: Array   # (N, S, M)
    z: Array        # (N, T, S, A): tanh(a_t + u_s)
    p: Array        # (N, T, S): row t holds the weights with which query t sees the memory


class AdditiveAttention(CheckedModule):
    """Attention whose scores come from a network with one hidden layer of A units.

    (ADD.1)  a   = x·W                                      (T, A), one row per query
    (ADD.2)  u   = memory·U + b                             (S, A), once for all queries
    (ADD.3)  z   = tanh(a_t + u_s)                          (T, S, A)
    (ADD.4)  scores = z·w                                   (T, S)
    (ADD.5)  p   = softmax(scores), row by row, over the positions s < length alone
    (ADD.6)  out = p·memory                                 (T, M)
    (ADD.7)  dp  = dout·memoryᵀ,  dmemory = pᵀ·dout
    (ADD.8)  dscores = p·(dp − Σ_s p·dp)                    zero in the padding, where p is zero
    (ADD.9)  dw  = Σ_ts dscores·z,  dsum = dscores·w·(1 − z²)
    (ADD.10) da  = Σ_s dsum,  du = Σ_t dsum                 a and u are each used many times
    (ADD.11) dx  = da·Wᵀ,  dmemory += du·Uᵀ                 the memory is used twice

    x (N, T, C), memory (N, S, M), out (N, T, M): the memory itself is averaged, there are no values. A module
    with two inputs is no Layer:

        out, cache = layer.forward(x, memory, lengths=lengths)
        dx, dmemory = layer.backward(dout, cache)

    lengths : (N,) integers from 1 to S, to ignore the rest of each memory; None for none

    Source: Bahdanau, Cho & Bengio 2015, section 3.1 and appendix A.1.2. Derived in docs/translation.md.

    features, memory_features, hidden : C, M and A
    rng : a Generator or an integer seed

    Raises ValueError for inputs and lengths that do not match.
    """

    def __init__(
        self,
        features: int,
        memory_features: int,
        hidden: int,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        who = "AdditiveAttention"
        positive(who, features=features, memory_features=memory_features, hidden=hidden)
        dtype, rng = float_dtype(who, dtype), as_generator(who, rng)
        self.features, self.memory_features, self.hidden = features, memory_features, hidden
        self.query = Linear(features, hidden, False, rng=rng, dtype=dtype)      # W
        self.key = Linear(memory_features, hidden, rng=rng, dtype=dtype)        # U and b
        self.weight = Parameter(glorot_uniform((hidden,), hidden, 1, rng=rng, dtype=dtype))     # w (A,)

    def forward(
        self, x: Array, memory: Array, training: bool = False, *, lengths: Any = None
    ) -> tuple[Array, AdditiveAttentionCache]:
        """Return (out, cache): out (N, T, M), the average of the memory for each query."""
        self.expect(x, features=self.features, ndim=3)
        expect_memory("AdditiveAttention", x, memory, self.memory_features)
        within = within_lengths("AdditiveAttention", lengths, *memory.shape[:2])
        if x.shape[1] < 1:
            raise ValueError(f"AdditiveAttention expected at least one position, got shape {x.shape}")
        u, _ = self.key.forward(memory)                                     # (ADD.2)  (N, S, A)
        z, p = self.weights(x, u, within)
        return p @ memory, AdditiveAttentionCache(x, memory, z, p)          # (ADD.6)  (N, T, M)

    def weights(self, x: Array, u: Array, within: Array | None) -> tuple[Array, Array]:
        """(z, p) for queries x (N, T, C) and the projected memory u (N, S, A); within (N, S) of bool."""
        a, _ = self.query.forward(x)                                        # (ADD.1)  (N, T, A)
        z = np.tanh(a[:, :, None] + u[:, None])                             # (ADD.3)  (N, T, S, A)
        scores = z @ self.weight.value                                      # (ADD.4)  (N, T, S)
        return z, masked_softmax(scores, None if within is None else within[:, None])   # (ADD.5)

    def backward(
        self, dout: Array, cache: AdditiveAttentionCache, input_grad: bool = True
    ) -> tuple[Array | None, Array | None]:
        """Return (dx, dmemory), or (None, None) without input_grad; add the parameters' gradients."""
        x, memory, z, p = cache
        self.expect_gradient(dout, (*x.shape[:2], memory.shape[2]), x.dtype)
        dp = dout @ memory.swapaxes(1, 2)                                   # (ADD.7)  out = p·memory
        dscores = softmax_backward(dp, p)                                   # (ADD.8)  p = softmax(scores)
        if self.trainable:
            self.weight.grad += dscores.reshape(-1) @ rows(z)               # (ADD.9)  scores = z·w
        dsum = dscores[..., None] * (self.weight.value * (1 - z**2))        #          z = tanh(a + u)
        da, du = dsum.sum(axis=2), dsum.sum(axis=1)                         # (ADD.10)
        dx = self.query.backward(da, x, input_grad)                         # (ADD.11) a = x·W
        dmemory = self.key.backward(du, memory, input_grad)                 #          u = memory·U + b
        return dx, p.swapaxes(1, 2) @ dout + dmemory if input_grad else None

    def __repr__(self) -> str:
        return f"AdditiveAttention({self.features}, {self.memory_features}, {self.hidden})"
