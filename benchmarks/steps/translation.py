"""The transformer that translates: two blocks each, four heads, 128 wide, sentences of up to 16 tokens."""

from __future__ import annotations

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.data import Vocabulary
from scratchgen.data.pairs import END
from scratchgen.models import Translator
from steps.characters import EPS

S, T, C, HEADS, DEPTH, V = 16, 12, 128, 4, 2, 70
SMOOTHING = 0.1
ENCODER, DECODER = 14, 20   # arrays of weights in a block


def model(dtype):
    """Both languages have V tokens, with END."""
    words = Vocabulary([chr(i) for i in range(48, 48 + V - 1)])
    return Translator(
        words, words, length=S, features=C, heads=HEADS, depth=DEPTH, smoothing=SMOOTHING,
        rng=np.random.default_rng(0), dtype=dtype,
    )  # fmt: skip


def data(n, dtype):
    """Sentences of different lengths, padded with END; the first one of a batch has no padding."""
    rng = np.random.default_rng(1)
    return [(_sentences(rng, n, S), _sentences(rng, n, T)) for _ in range(8)]


def _sentences(rng, n, longest):
    lengths = rng.integers(longest // 2, longest + 1, n)
    lengths[0] = longest
    tokens = rng.integers(1, V, (n, longest))
    return np.where(np.arange(longest) < lengths[:, None] - 1, tokens, END)


def noise(n, dtype):
    return ()


def ours(dtype):
    return one_loss(model(dtype), noise=("y",))     # a batch has x and y, and no noise


def pytorch(dtype, way: Way):
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy, scaled_dot_product_attention

    def split(x):
        return x.view(len(x), -1, HEADS, C // HEADS).transpose(1, 2)

    def join(y):
        return y.transpose(1, 2).flatten(2)

    def mlp():
        return nn.Sequential(nn.Linear(C, 4 * C), nn.GELU(approximate="tanh"), nn.Linear(4 * C, C))

    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key_value, self.proj = nn.Linear(C, C), nn.Linear(C, 2 * C), nn.Linear(C, C)

        def forward(self, x, memory, real):
            k, v = map(split, self.key_value(memory).chunk(2, dim=2))
            mask = real[:, None, None]
            return self.proj(join(scaled_dot_product_attention(split(self.query(x)), k, v, attn_mask=mask)))

    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.proj = nn.Linear(C, 3 * C), nn.Linear(C, C)

        def forward(self, x):
            q, k, v = map(split, self.qkv(x).chunk(3, dim=2))
            return self.proj(join(scaled_dot_product_attention(q, k, v, is_causal=True)))

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(C), Cross()
            self.norm2, self.mlp = nn.LayerNorm(C), mlp()

        def forward(self, x, real):
            a = self.norm1(x)
            x = x + self.attention(a, a, real)
            return x + self.mlp(self.norm2(x))

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(C), Causal()
            self.norm2, self.cross = nn.LayerNorm(C), Cross()
            self.norm3, self.mlp = nn.LayerNorm(C), mlp()

        def forward(self, x, memory, real):
            x = x + self.attention(self.norm1(x))
            x = x + self.cross(self.norm2(x), memory, real)
            return x + self.mlp(self.norm3(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.target = nn.Embedding(V, C), nn.Embedding(V + 1, C)
            self.places, self.target_places = nn.Embedding(S, C), nn.Embedding(S, C)
            self.encoder = nn.ModuleList([Encoder() for _ in range(DEPTH)])
            self.decoder = nn.ModuleList([Decoder() for _ in range(DEPTH)])
            self.memory_norm, self.norm, self.head = nn.LayerNorm(C), nn.LayerNorm(C), nn.Linear(C, V)

        def forward(self, x, y):
            real, memory = within(x), self.source(x) + self.places.weight
            for block in self.encoder:
                memory = block(memory, real)
            memory = self.memory_norm(memory)
            inputs = torch.cat([torch.full_like(y[:, :1], V), y[:, :-1]], dim=1)
            h = self.target(inputs) + self.target_places.weight[:T]
            for block in self.decoder:
                h = block(h, memory, real)
            return self.head(self.norm(h))

    def within(ids):
        """Whether no END is before a token."""
        end = (ids == END).int()
        return end.cumsum(1) == end

    net = Net()

    def loss(x, y):
        logits, real = net(x, y).view(-1, V), within(y).flatten()
        terms = cross_entropy(logits, y.flatten(), label_smoothing=SMOOTHING, reduction="none")
        return (terms * real).sum() / real.sum()

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    import jax.numpy as jnp
    from jax.nn import gelu, log_softmax, softmax

    causal = np.tril(np.ones((T, T), bool))

    def within(ids):
        end = (ids == END).astype(int)
        return end.cumsum(1) == end

    def norm(x, weight, bias):
        return (x - x.mean(2, keepdims=True)) / jnp.sqrt(x.var(2, keepdims=True) + EPS) * weight + bias

    def attend(q, k, v, mask):
        q, k, v = (part.reshape(len(part), -1, HEADS, C // HEADS) for part in (q, k, v))
        scores = jnp.einsum("nthd,nshd->nhts", q, k) / np.sqrt(C // HEADS).astype(dtype)
        y = jnp.einsum("nhts,nshd->nthd", softmax(jnp.where(mask, scores, -jnp.inf)), v)
        return y.reshape(*y.shape[:2], C)

    def cross(x, memory, real, wq, bq, wkv, bkv, wproj, bproj):
        k, v = jnp.split(memory @ wkv + bkv, 2, axis=2)
        return attend(x @ wq + bq, k, v, real[:, None, None]) @ wproj + bproj

    def mlp(x, n, o, w1, b1, w2, b2):
        return x + gelu(norm(x, n, o) @ w1 + b1, approximate=True) @ w2 + b2

    def encode(x, real, weights):
        a = norm(x, *weights[:2])
        return mlp(x + cross(a, a, real, *weights[2:8]), *weights[8:14])

    def decode(x, memory, real, weights):
        wqkv, bqkv, wproj, bproj = weights[2:6]
        qkv = jnp.split(norm(x, *weights[:2]) @ wqkv + bqkv, 3, axis=2)
        x = x + attend(*qkv, causal) @ wproj + bproj
        x = x + cross(norm(x, *weights[6:8]), memory, real, *weights[8:14])
        return mlp(x, *weights[14:20])

    def loss(weights, key, x, y):
        source, target, places, target_places, *rest = weights
        real, memory = within(x), source[x] + places
        for i in range(DEPTH):
            memory = encode(memory, real, rest[i * ENCODER : (i + 1) * ENCODER])
        rest = rest[DEPTH * ENCODER :]
        *blocks, n1, o1, n2, o2, w, b = rest
        memory = norm(memory, n1, o1)
        h = target[jnp.concatenate([jnp.full_like(y[:, :1], V), y[:, :-1]], axis=1)] + target_places[:T]
        for i in range(DEPTH):
            h = decode(h, memory, real, blocks[i * DECODER : (i + 1) * DECODER])
        log_p, real = log_softmax(norm(h, n2, o2) @ w + b), within(y)
        right = jnp.take_along_axis(log_p, y[:, :, None], axis=2)[:, :, 0]
        terms = (1 - SMOOTHING) * right + SMOOTHING * log_p.mean(axis=2)
        return -(terms * real).sum() / real.sum()

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    """One product for the rows of all positions; scores and values for all heads are a batch of products."""
    d = C // HEADS

    def linear(rows, *maps):
        return [p for a, b in maps for p in ((rows, a, b), (a, rows, b), (rows, b, a))]

    def attention(asking, seen):
        scores, values = (n * HEADS, asking, d, seen), (n * HEADS, asking, seen, d)
        return 2 * [scores] + 2 * [values] + 2 * [(n * HEADS, seen, asking, d)]

    mlp = [(C, 4 * C), (4 * C, C)]
    encoder = linear(n * S, (C, C), (C, 2 * C), (C, C), *mlp) + attention(S, S)
    decoder = (
        linear(n * T, (C, 3 * C), (C, C), (C, C), (C, C), *mlp) + linear(n * S, (C, 2 * C))
        + attention(T, T) + attention(T, S)
    )  # fmt: skip
    return DEPTH * (encoder + decoder) + linear(n * T, (C, V))
