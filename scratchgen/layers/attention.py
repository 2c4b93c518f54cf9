"""Self-attention, with and without a causal mask, and the transformer block that contains it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, expect_flags, expect_number, float_dtype, positive
from scratchgen.distributions import Categorical
from scratchgen.kernels import compiled
from scratchgen.layers.activations import GELU
from scratchgen.layers.arrays import add
from scratchgen.layers.base import Layer
from scratchgen.layers.dropout import Dropout
from scratchgen.layers.linear import Linear
from scratchgen.layers.normalisation import LayerNorm
from scratchgen.layers.rotary import rotary
from scratchgen.layers.sequential import Sequential


@compiled
def attention(qkv: Array, heads: int, causal: bool) -> tuple[Array, Array]:
    """(y, p): the attended values y (N, T, C) and the weights p (N, H, T, T), for qkv (N, T, 3C)."""
    q, k, v = split_heads(qkv, heads)                                   #           (N, H, T, D)
    scores = q @ k.swapaxes(2, 3)                                       # (ATT.2)   (N, H, T, T)
    scale = q.shape[3] ** -0.5                                          # (ATT.3)
    seen = np.tril(np.ones(scores.shape[2:], bool)) if causal else True #           s ≤ t, or all
    masked = np.where(seen, scale * scores, -np.inf)                    # (ATT.4)
    e = np.exp(masked - masked.max(axis=3, keepdims=True))
    p = e / e.sum(axis=3, keepdims=True)                                # (ATT.5)   (N, H, T, T)
    y = p @ v                                                           # (ATT.6)   (N, H, T, D)
    return join_heads(y[None]), p


@compiled
def attention_backward(dy: Array, qkv: Array, p: Array, causal: bool) -> Array:
    """dqkv (N, T, 3C), for dy (N, T, C). `causal` says that p is zero above the diagonal."""
    heads = p.shape[1]
    q, k, v = split_heads(qkv, heads)                                   #           (N, H, T, D)
    dy = split_heads(dy, heads, parts=1)[0]                             #           (N, H, T, D)
    dv = p.swapaxes(2, 3) @ dy                                          # (ATT.8)   y = p·v
    dp = dy @ v.swapaxes(2, 3)                                          # (ATT.9)
    dmasked = p * (dp - (p * dp).sum(axis=3, keepdims=True))            # (ATT.10)  p = softmax(masked)
    dscores = q.shape[3] ** -0.5 * dmasked                              # (ATT.11)  masked = scale·scores
    dq = dscores @ k                                                    # (ATT.12)  scores = q·kᵀ
    dk = dscores.swapaxes(2, 3) @ q                                     # (ATT.13)
    return join_heads(np.stack([dq, dk, dv]))


def split_heads(a: Array, heads: int, parts: int = 3) -> Array:
    """Split (N, T, parts·C) into parts and heads: a view (parts, N, H, T, D), with D = C / H."""
    n, t, _ = a.shape
    return a.reshape(n, t, parts, heads, -1).transpose(2, 0, 3, 1, 4)


def join_heads(a: Array) -> Array:
    """Join (parts, N, H, T, D) to (N, T, parts·C), the inverse of split_heads."""
    _, n, _, t, _ = a.shape
    return a.transpose(1, 3, 0, 2, 4).reshape(n, t, -1)


class AttentionCache(NamedTuple):
    """What backward of SelfAttention needs."""

    x: Array        # (N, T, C): the input
    qkv: Array      # (N, T, 3C): queries, keys and values of all heads
    p: Array        # (N, H, T, T): row t holds the weights of the positions that t sees
    y: Array        # (N, T, C): the attended values of all heads, the input of the last affine map


class SelfAttention(Layer):
    """Self-attention with H heads, in which every position sees all positions.

    The equations are those of CausalSelfAttention, (ATT.1) to (ATT.13), without the mask (ATT.4). Order does
    not matter: if the positions of x are permuted, so are those of out.

    x (N, T, C), out (N, T, C). Source: Vaswani et al. 2017, section 3.2. Derived in docs/attention.md.

    features, heads : C and H; C must be a multiple of H
    rotary : whether queries and keys are rotated by their position (layers.rotary), so that scores depend on
        distances. D = C / H must then be even
    rng : a Generator or an integer seed

    Raises ValueError if C is not a multiple of H, for an odd D with rotary, and for x of another shape.
    """

    causal = False      # whether position t sees only positions 0 … t

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        rotary: bool = False,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        who = type(self).__name__
        positive(who, features=features, heads=heads)
        if features % heads:
            raise ValueError(f"{who} expected features to be a multiple of heads, got {features} and {heads}")
        expect_flags(who, rotary=rotary)
        self.rotary = rotary
        if rotary and features // heads % 2:
            raise ValueError(
                f"{who} expected an even number of features per head with rotary, got {features // heads}"
            )
        dtype, rng = float_dtype(who, dtype), as_generator(who, rng)
        self.features, self.heads = features, heads
        self.qkv = Linear(features, 3 * features, rng=rng, dtype=dtype)
        self.proj = Linear(features, features, rng=rng, dtype=dtype)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, AttentionCache]:
        self.expect(x, features=self.features, ndim=3)
        if x.shape[1] < 1:
            raise ValueError(f"{type(self).__name__} expected at least one position, got shape {x.shape}")
        qkv, _ = self.qkv.forward(x)                                        # (ATT.1)  (N, T, 3C)
        qkv = self.rotated(qkv)                                             # (ROPE.2)
        y, p = attention(qkv, self.heads, self.causal)                      # (ATT.2) to (ATT.6)
        out, _ = self.proj.forward(y)                                       # (ATT.7)  (N, T, C)
        return out, AttentionCache(x, qkv, p, y)

    def backward(self, dout: Array, cache: AttentionCache, input_grad: bool = True) -> Any:
        x, qkv, p, y = cache
        self.expect_gradient(dout, x.shape, x.dtype)
        dy = self.proj.backward(dout, y)                                    #          out = y·W' + b'
        dqkv = attention_backward(dy, qkv, p, self.causal)                  # (ATT.8) to (ATT.13)
        dqkv = self.rotated(dqkv, inverse=True)                             # (ROPE.3)
        return self.qkv.backward(dqkv, x, input_grad)                       #          qkv = x·W + b

    def jvp(self, dx: Array, cache: AttentionCache) -> Array:
        """Return J·dx, by differentiating the lines of forward one after another."""
        x, qkv, p, y = cache
        self.expect_gradient(dx, x.shape, x.dtype)
        q, k, v = self.split(qkv)
        dq, dk, dv = self.split(self.rotated(self.qkv.jvp(dx, x)))
        dmasked = q.shape[3] ** -0.5 * (dq @ k.swapaxes(2, 3) + q @ dk.swapaxes(2, 3))
        dp = p * (dmasked - (p * dmasked).sum(axis=3, keepdims=True))
        dy = join_heads((dp @ v + p @ dv)[None])
        return self.proj.jvp(dy, y)

    def split(self, qkv: Array) -> Array:
        """q, k and v of each head, (3, N, H, T, D), as a view into qkv (N, T, 3C)."""
        return split_heads(qkv, self.heads)

    def rotated(self, qkv: Array, start: int = 0, *, inverse: bool = False) -> Array:
        """qkv (N, T, 3C) with its queries and keys rotated from position `start` on, if rotary.

        inverse : rotate back, which is the backward pass
        """
        if not self.rotary:
            return qkv
        q, k, v = self.split(qkv)
        q, k = (rotary(a, start, inverse=inverse) for a in (q, k))
        return join_heads(np.stack([q, k, v]))

    def output_shape_text(self) -> str:
        return f"(N, T, {self.features})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.features}, {self.heads}, rotary={self.rotary})"


class CausalSelfAttention(SelfAttention):
    """Self-attention with H heads, in which position t sees positions 0 … t and no later one.

    For each example and each head, with D = C / H. One affine map, `qkv`, gives queries, keys and values:

    (ATT.1)   q, k, v = the parts of x·W + b                each (T, D)
    (ATT.2)   scores  = q·kᵀ                                (T, T): row t is the query, column s the key
    (ATT.3)   scale   = 1 / √D                              keeps the variance of a score near 1
    (ATT.4)   masked  = scale·scores where s ≤ t, else −∞
    (ATT.5)   p       = softmax(masked), row by row         each row sums to 1
    (ATT.6)   y       = p·v                                 (T, D)
    (ATT.7)   out     = [y of all heads]·W' + b'
    (ATT.8)   dv      = pᵀ·dy
    (ATT.9)   dp      = dy·vᵀ
    (ATT.10)  dmasked = p·(dp − Σ_s p·dp)                   zero where p is zero, so the mask needs no line
    (ATT.11)  dscores = scale·dmasked
    (ATT.12)  dq      = dscores·k
    (ATT.13)  dk      = dscoresᵀ·q

    x (N, T, C), out (N, T, C). Source: Vaswani et al. 2017, section 3.2. Derived in docs/attention.md.

    features, heads : C and H; C must be a multiple of H
    rotary : whether queries and keys are rotated by their position (layers.rotary), so that scores depend on
        distances. D = C / H must then be even
    rng : a Generator or an integer seed

    Raises ValueError if C is not a multiple of H, for an odd D with rotary, and for x of another shape.
    """

    causal = True

    def step(self, x: Array, keys: Array, values: Array, t: int) -> Array:
        """Compute one more position: x (N, C) at position t -> out (N, C), equal to row t of forward.

        keys, values (N, H, T', D) hold the keys and values of the earlier positions. Those of position t are
        written into them, so that no position is computed twice.
        """
        qkv = self.rotated(self.qkv.forward(x[:, None])[0], start=t)        # (ATT.1)  (N, 1, 3C)
        q, k, v = qkv.reshape(len(x), 3, self.heads, 1, -1).swapaxes(0, 1)  # (N, H, 1, D)
        keys[:, :, t : t + 1], values[:, :, t : t + 1] = k, v
        scores = q @ keys[:, :, : t + 1].swapaxes(2, 3)                     # (N, H, 1, t + 1)
        p = Categorical.probabilities(q.shape[3] ** -0.5 * scores)
        y = p @ values[:, :, : t + 1]                                       # (N, H, 1, D)
        return self.proj.forward(y.reshape(x.shape))[0]


class TransformerBlockCache(NamedTuple):
    """The caches of the six layers of a TransformerBlock, in the order of forward."""

    x: Array                    # (N, T, C): the input
    norm1: Any
    attention: AttentionCache
    drop1: Any
    norm2: Any
    mlp: list[Any]
    drop2: Any


class TransformerBlock(Layer):
    """Attention and a feed-forward network, each applied to the normalised input and added to the input.

    (TFB.1)  h   = x + attention(norm1(x))
    (TFB.2)  out = h + mlp(norm2(h))                        mlp: C → 4C, GELU, 4C → C, position by position
    (TFB.3)  dh  = dout + J_norm2ᵀ·J_mlpᵀ·dout
    (TFB.4)  dx  = dh + J_norm1ᵀ·J_attentionᵀ·dh            x and h are each used twice

    x, out (N, T, C). Pre-norm, as in Radford et al. 2019, section 2.3. Derived in docs/attention.md.

    features, heads : C, and the number of attention heads
    rotary : whether the attention rotates queries and keys by their position
    dropout : the probability that an entry of either branch is dropped in training
    rng : a Generator or an integer seed; the dropout masks come from two generators spawned from it
    """

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        rotary: bool = False,
        dropout: float = 0.0,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        positive("TransformerBlock", features=features, heads=heads)
        expect_flags("TransformerBlock", rotary=rotary)
        expect_number("TransformerBlock", "dropout", dropout, least=0, below=1)
        dtype, rng = float_dtype("TransformerBlock", dtype), as_generator("TransformerBlock", rng)
        self.norm1 = LayerNorm(features, dtype=dtype)
        self.attention = CausalSelfAttention(features, heads, rotary=rotary, rng=rng, dtype=dtype)
        self.norm2 = LayerNorm(features, dtype=dtype)
        self.mlp = Sequential(
            Linear(features, 4 * features, rng=rng, dtype=dtype),
            GELU(),
            Linear(4 * features, features, rng=rng, dtype=dtype),
        )
        self.drop1, self.drop2 = (Dropout(dropout, rng=r) for r in rng.spawn(2))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, TransformerBlockCache]:
        a, norm1 = self.norm1.forward(x)
        a, attention = self.attention.forward(a)
        a, drop1 = self.drop1.forward(a, training)
        h = add(x, a)                                           # (TFB.1)
        f, norm2 = self.norm2.forward(h)
        f, mlp = self.mlp.forward(f)
        f, drop2 = self.drop2.forward(f, training)
        out = add(h, f)                                         # (TFB.2)
        return out, TransformerBlockCache(x, norm1, attention, drop1, norm2, mlp, drop2)

    def backward(self, dout: Array, cache: TransformerBlockCache, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, cache.x.shape, cache.x.dtype)
        df = self.drop2.backward(dout, cache.drop2)
        df = self.mlp.backward(df, cache.mlp)
        df = self.norm2.backward(df, cache.norm2)
        dh = add(dout, df)                                      # (TFB.3)  out = h + f
        da = self.drop1.backward(dh, cache.drop1)
        da = self.attention.backward(da, cache.attention)
        da = self.norm1.backward(da, cache.norm1, input_grad)
        return add(dh, da) if input_grad else None              # (TFB.4)  h = x + a

    def jvp(self, dx: Array, cache: TransformerBlockCache) -> Array:
        """Return J·dx, by differentiating the lines of forward one after another."""
        self.expect_gradient(dx, cache.x.shape, cache.x.dtype)
        da = self.attention.jvp(self.norm1.jvp(dx, cache.norm1), cache.attention)
        dh = dx + self.drop1.jvp(da, cache.drop1)
        df = self.mlp.jvp(self.norm2.jvp(dh, cache.norm2), cache.mlp)
        return dh + self.drop2.jvp(df, cache.drop2)

    def step(self, x: Array, keys: Array, values: Array, t: int) -> Array:
        """Compute one more position: x (N, C) at position t -> out (N, C), like CausalSelfAttention.step."""
        h = x + self.attention.step(self.norm1.forward(x)[0], keys, values, t)
        return h + self.mlp.forward(self.norm2.forward(h)[0])[0]

    def __repr__(self) -> str:
        a = self.attention
        return f"TransformerBlock({a.features}, {a.heads}, rotary={a.rotary}, dropout={self.drop1.p})"
