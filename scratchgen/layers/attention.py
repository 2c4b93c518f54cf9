"""Causal self-attention: each position looks back, and weighs what it finds."""

import numpy as np

from scratchgen import kernels
from scratchgen.checks import positive
from scratchgen.layers.activations import GELU
from scratchgen.layers.base import Layer, Sequential
from scratchgen.layers.dropout import Dropout
from scratchgen.layers.linear import Linear
from scratchgen.layers.normalisation import LayerNorm
from scratchgen.runtime import threads


class CausalSelfAttention(Layer):
    """Self-attention with H heads, in which position t sees positions 0 … t and none after it.

    For each example and each head, with D = C / H and qkv one affine map for all three:

    (ATT.1)   q, k, v = the parts of x·W + b                each (T, D)
    (ATT.2)   scores  = q·kᵀ                                (T, T): row t asks, column s is asked
    (ATT.3)   scale   = 1 / √D                              keeps the variance of a score near 1
    (ATT.4)   masked  = scale·scores where s ≤ t, else −∞
    (ATT.5)   p       = softmax(masked), row by row         each row sums to 1
    (ATT.6)   y       = p·v                                 (T, D)
    (ATT.7)   out     = [y of all heads]·W' + b'
    (ATT.8)   dv      = pᵀ·dy
    (ATT.9)   dp      = dy·vᵀ
    (ATT.10)  dmasked = p·(dp − Σ_s p·dp)                   zero where p is: the mask needs no line
    (ATT.11)  dscores = scale·dmasked
    (ATT.12)  dq      = dscores·k
    (ATT.13)  dk      = dscoresᵀ·q

    x (N, T, C), out (N, T, C). Source: Vaswani et al. 2017, section 3.2. Derived in docs/attention.md.

    features, heads : C and H; C must be a multiple of H

    Raises ValueError for a C that H doesn't divide and for x of another shape.
    """

    def __init__(self, features, heads, *, rng, dtype=np.float32):
        positive("CausalSelfAttention", features=features, heads=heads)
        if features % heads:
            raise ValueError(
                f"CausalSelfAttention expected features to be a multiple of heads, got {features} and {heads}"
            )
        self.features, self.heads = features, heads
        self.qkv = Linear(features, 3 * features, rng=rng, dtype=dtype)
        self.proj = Linear(features, features, rng=rng, dtype=dtype)

    def forward(self, x, training=False):
        self.expect(x, features=self.features, ndim=3)
        if x.shape[1] < 1:
            raise ValueError(f"CausalSelfAttention expected at least one position, got shape {x.shape}")
        n, t, _ = x.shape
        qkv, qkv_cache = self.qkv.forward(x)                                # (ATT.1)  (N, T, 3C)
        q, k, v = self.split(qkv)                                           # (N, H, T, D), views
        p, y = np.empty((n, self.heads, t, t), x.dtype), np.empty(x.shape, x.dtype)

        def work(part):
            np.matmul(q[part], k[part].swapaxes(2, 3), out=p[part])         # (ATT.2)  (N, H, T, T)
            flat = p[part].reshape(-1, t, t)
            kernels.attention.causal_softmax_forward(flat, self._scale(x), flat)  # (ATT.4, ATT.5)
            np.matmul(p[part], v[part], out=self._by_head(y)[part])         # (ATT.6)

        threads.share(work, n, self._enough(t))
        out, proj_cache = self.proj.forward(y)                              # (ATT.7)
        return out, (qkv, p, qkv_cache, proj_cache)

    def backward(self, dout, cache, input_grad=True):
        qkv, p, qkv_cache, proj_cache = cache
        self.expect_gradient(dout, qkv_cache.shape, qkv.dtype)
        q, k, v = self.split(qkv)
        t = p.shape[-1]
        dy = self._by_head(self.proj.backward(dout, proj_cache))            # (N, H, T, D)
        dqkv = np.empty(qkv.shape, qkv.dtype)
        dq, dk, dv = self.split(dqkv)

        def work(part):
            np.matmul(p[part].swapaxes(2, 3), dy[part], out=dv[part])       # (ATT.8)   y = p·v
            dscores = dy[part] @ v[part].swapaxes(2, 3)                     # (ATT.9)   (N, H, T, T)
            flat = dscores.reshape(-1, t, t)
            kernels.attention.causal_softmax_backward(  # (ATT.10, ATT.11)  p = softmax(masked)
                flat, p[part].reshape(-1, t, t), self._scale(qkv), flat
            )
            np.matmul(dscores, k[part], out=dq[part])                       # (ATT.12)  scores = q·kᵀ
            np.matmul(dscores.swapaxes(2, 3), q[part], out=dk[part])        # (ATT.13)

        threads.share(work, len(p), self._enough(t))
        return self.qkv.backward(dqkv, qkv_cache, input_grad)

    def jvp(self, dx, cache):
        """Push a tangent forward: the tangents of the lines of forward, in their order."""
        qkv, p, qkv_cache, proj_cache = cache
        self.expect_gradient(dx, qkv_cache.shape, qkv.dtype)
        q, k, v = self.split(qkv)
        dq, dk, dv = self.split(self.qkv.jvp(dx, qkv_cache))
        dp = dq @ k.swapaxes(2, 3) + q @ dk.swapaxes(2, 3)
        flat = dp.reshape(-1, *dp.shape[2:])
        # The Jacobian of softmax, diag(p) − p·pᵀ, is its own transpose, so backward's kernel serves here too.
        kernels.attention.causal_softmax_backward(flat, p.reshape(flat.shape), self._scale(qkv), flat)
        dy = np.empty(dx.shape, dx.dtype)
        self._by_head(dy)[...] = dp @ v + p @ dv
        return self.proj.jvp(dy, proj_cache)

    def step(self, x, keys, values, t):
        """One position more: x (N, C) at position t -> out (N, C), the last row that forward would give.

        keys, values (N, H, T', D) hold what earlier positions gave; those of position t are written into
        them, so that no position is computed twice.
        """
        qkv = self.qkv.forward(x)[0]                                        # (ATT.1)  (N, 3C)
        q, k, v = qkv.reshape(len(x), 3, self.heads, 1, -1).swapaxes(0, 1)  # (N, H, 1, D)
        keys[:, :, t : t + 1], values[:, :, t : t + 1] = k, v
        scores = self._scale(x) * (q @ keys[:, :, : t + 1].swapaxes(2, 3))  # (N, H, 1, t + 1)
        e = np.exp(scores - scores.max(axis=3, keepdims=True))
        p = e / e.sum(axis=3, keepdims=True)
        y = p @ values[:, :, : t + 1]                                       # (N, H, 1, D)
        return self.proj.forward(y.reshape(x.shape))[0]

    def split(self, qkv):
        """q, k, v of each head, (N, H, T, D), as views into (N, T, 3C): BLAS takes them as they lie."""
        n, t, _ = qkv.shape
        return qkv.reshape(n, t, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)

    def _by_head(self, y):
        """(N, T, C) as (N, H, T, D), a view."""
        return y.reshape(*y.shape[:2], self.heads, -1).swapaxes(1, 2)

    def _enough(self, t):
        """How many examples of t positions are worth a thread."""
        return threads.enough(2 * t * t * self.features, threads.PRODUCTS)

    def _scale(self, x):
        return x.dtype.type((self.features // self.heads) ** -0.5)          # (ATT.3)

    def __repr__(self) -> str:
        return f"CausalSelfAttention({self.features}, {self.heads})"


class TransformerBlock(Layer):
    """Attention and a feed-forward net, each normalised before and added to what came in.

    (TFB.1)  h   = x + attention(norm1(x))
    (TFB.2)  out = h + mlp(norm2(h))                        mlp: C → 4C, GELU, 4C → C, position by position
    (TFB.3)  dh  = dout + J_norm2ᵀ·J_mlpᵀ·dout
    (TFB.4)  dx  = dh + J_norm1ᵀ·J_attentionᵀ·dh            a sum forwards is two ways back

    x, out (N, T, C). Pre-norm, as in Radford et al. 2019, section 2.3. Derived in docs/attention.md.

    features, heads : C, and the heads of the attention
    dropout : the share of both branches' outputs that training switches off (its masks come from rng)
    """

    def __init__(self, features, heads, *, dropout=0.0, rng, dtype=np.float32):
        kind = {"rng": rng, "dtype": dtype}
        self.norm1 = LayerNorm(features, dtype=dtype)
        self.attention = CausalSelfAttention(features, heads, **kind)
        self.norm2 = LayerNorm(features, dtype=dtype)
        self.mlp = Sequential(
            Linear(features, 4 * features, **kind), GELU(), Linear(4 * features, features, **kind)
        )
        self.drop1, self.drop2 = (Dropout(dropout, rng=r) for r in rng.spawn(2))

    def forward(self, x, training=False):
        a, norm1 = self.norm1.forward(x)
        a, attention = self.attention.forward(a)
        a, drop1 = self.drop1.forward(a, training)
        h = x + a                                               # (TFB.1)
        f, norm2 = self.norm2.forward(h)
        f, mlp = self.mlp.forward(f)
        f, drop2 = self.drop2.forward(f, training)
        return h + f, (norm1, attention, drop1, norm2, mlp, drop2)  # (TFB.2)

    def backward(self, dout, cache, input_grad=True):
        norm1, attention, drop1, norm2, mlp, drop2 = cache
        self.expect_gradient(dout, norm1[0].shape, norm1[0].dtype)
        df = self.drop2.backward(dout, drop2)
        df = self.mlp.backward(df, mlp)
        df = self.norm2.backward(df, norm2)
        dh = dout + df                                          # (TFB.3)  out = h + f
        da = self.drop1.backward(dh, drop1)
        da = self.attention.backward(da, attention)
        da = self.norm1.backward(da, norm1, input_grad)
        return dh + da if input_grad else None                  # (TFB.4)  h = x + a

    def jvp(self, dx, cache):
        """Push a tangent forward: the tangents of the lines of forward, in their order."""
        norm1, attention, drop1, norm2, mlp, drop2 = cache
        self.expect_gradient(dx, norm1[0].shape, norm1[0].dtype)
        da = self.attention.jvp(self.norm1.jvp(dx, norm1), attention)
        dh = dx + self.drop1.jvp(da, drop1)
        df = self.mlp.jvp(self.norm2.jvp(dh, norm2), mlp)
        return dh + self.drop2.jvp(df, drop2)

    def step(self, x, keys, values, t):
        """One position more: x (N, C) at position t -> out (N, C), as in the attention's step; no dropout."""
        h = x + self.attention.step(self.norm1.forward(x)[0], keys, values, t)
        return h + self.mlp.forward(self.norm2.forward(h)[0])[0]
