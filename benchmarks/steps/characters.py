"""The character model: two blocks of four heads, 128 wide, windows of 64 characters out of 70."""

from __future__ import annotations

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.data import Alphabet
from scratchgen.models import CharacterModel

T, C, HEADS, DEPTH, V = 64, 128, 4, 2, 70
EPS = 1e-5      # of layer norm


def model(dtype):
    alphabet = Alphabet("".join(map(chr, range(48, 48 + V))))
    kind = {"rng": np.random.default_rng(0), "dtype": dtype}
    return CharacterModel(alphabet, window=T, features=C, heads=HEADS, depth=DEPTH, **kind)


def data(n, dtype):
    return [(x,) for x in np.random.default_rng(1).integers(V, size=(8, n, T))]


def noise(n, dtype):
    return ()


def ours(dtype):
    return one_loss(model(dtype))


def pytorch(dtype, way: Way):
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy, scaled_dot_product_attention

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.proj = nn.Linear(C, 3 * C), nn.Linear(C, C)

        def forward(self, x):
            q, k, v = (
                part.view(len(x), T, HEADS, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=2)
            )
            y = scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.proj(y.transpose(1, 2).reshape(x.shape))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention, self.norm2 = nn.LayerNorm(C), Attention(), nn.LayerNorm(C)
            gelu = nn.GELU(approximate="tanh")
            self.mlp = nn.Sequential(nn.Linear(C, 4 * C), gelu, nn.Linear(4 * C, C))

        def forward(self, x):
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.characters, self.positions = nn.Embedding(V + 1, C), nn.Embedding(T, C)
            self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
            self.norm, self.head = nn.LayerNorm(C), nn.Linear(C, V)

        def forward(self, x):
            inputs = torch.cat([torch.full_like(x[:, :1], V), x[:, :-1]], dim=1)
            return self.head(self.norm(self.blocks(self.characters(inputs) + self.positions.weight)))

    net = Net()

    def loss(x):
        return cross_entropy(net(x).view(-1, V), x.view(-1))

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    import jax.numpy as jnp
    from jax.nn import gelu, log_softmax, softmax

    causal = np.tril(np.ones((T, T), bool))

    def norm(x, weight, bias):
        return (x - x.mean(2, keepdims=True)) / jnp.sqrt(x.var(2, keepdims=True) + EPS) * weight + bias

    def block(x, n1, o1, wqkv, bqkv, wproj, bproj, n2, o2, w1, b1, w2, b2):
        qkv = norm(x, n1, o1) @ wqkv + bqkv
        q, k, v = jnp.moveaxis(qkv.reshape(len(x), T, 3, HEADS, -1), (2, 3), (0, 2))
        scores = jnp.einsum("nhtd,nhsd->nhts", q, k) / np.sqrt(C // HEADS).astype(dtype)
        y = jnp.einsum("nhts,nhsd->nthd", softmax(jnp.where(causal, scores, -jnp.inf)), v)
        x = x + y.reshape(x.shape) @ wproj + bproj
        return x + gelu(norm(x, n2, o2) @ w1 + b1, approximate=True) @ w2 + b2

    def loss(weights, key, x):
        characters, positions, *rest, weight, bias, w, b = weights
        inputs = jnp.concatenate([jnp.full_like(x[:, :1], V), x[:, :-1]], axis=1)
        h = characters[inputs] + positions
        for i in range(DEPTH):
            h = block(h, *rest[12 * i : 12 * (i + 1)])
        logits = log_softmax(norm(h, weight, bias) @ w + b)
        return -jnp.take_along_axis(logits, x[:, :, None], axis=2).mean()

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    """One product for the rows of all positions; scores and values for all heads are a batch of products."""
    rows, d = n * T, C // HEADS
    linear = [(C, 3 * C), (C, C), (C, 4 * C), (4 * C, C)]
    block = [p for a, b in linear for p in ((rows, a, b), (a, rows, b), (rows, b, a))]
    attention = [(n * HEADS, T, d, T)] * 2 + [(n * HEADS, T, T, d)] * 4
    head = [(rows, C, V), (C, rows, V), (rows, V, C)]
    return DEPTH * (block + attention) + head
