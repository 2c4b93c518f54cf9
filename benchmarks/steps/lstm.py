"""The character model with an LSTM: two layers of 128 units, windows of 64 characters out of 70."""

from __future__ import annotations

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.data import Alphabet
from scratchgen.models import CharacterModel
from steps import characters
from steps.characters import EPS, C, T, V

DEPTH = 2
data, noise = characters.data, characters.noise


def model(dtype):
    alphabet = Alphabet("".join(map(chr, range(48, 48 + V))))
    kind = {"rng": np.random.default_rng(0), "dtype": dtype}
    return CharacterModel(alphabet, window=T, features=C, depth=DEPTH, body="lstm", **kind)


def ours(dtype):
    return one_loss(model(dtype))


def pytorch(dtype, way: Way):
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    class Lstm(nn.Module):
        """nn.LSTM of one layer; its second bias is zero and not trained, since ours has one bias."""

        layouts = {"weight": (np.transpose, np.transpose), "recurrent": (np.transpose, np.transpose)}

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(4 * C, C))
            self.recurrent = nn.Parameter(torch.empty(4 * C, C))
            self.bias = nn.Parameter(torch.empty(4 * C))
            self.register_buffer("zero", torch.zeros(4 * C))

        def forward(self, x):
            start = x.new_zeros(1, len(x), C)
            weights = [self.weight, self.recurrent, self.bias, self.zero]
            return torch.lstm(x, (start, start), weights, True, 1, 0.0, True, False, True)[0]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.characters = nn.Embedding(V + 1, C)
            self.layers = nn.Sequential(*(Lstm() for _ in range(DEPTH)))
            self.norm, self.head = nn.LayerNorm(C), nn.Linear(C, V)

        def forward(self, x):
            inputs = torch.cat([torch.full_like(x[:, :1], V), x[:, :-1]], dim=1)
            return self.head(self.norm(self.layers(self.characters(inputs))))

    net = Net()

    def loss(x):
        return cross_entropy(net(x).view(-1, V), x.view(-1))

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    import jax.numpy as jnp
    from jax.lax import scan
    from jax.nn import log_softmax, sigmoid

    def layer(x, weight, recurrent, bias):
        def cell(states, a):
            h, c = states
            i, f, g, o = jnp.split(a + h @ recurrent, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
            h = sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        start = jnp.zeros((len(x), C), x.dtype)
        return scan(cell, (start, start), (x @ weight + bias).swapaxes(0, 1))[1].swapaxes(0, 1)

    def loss(weights, key, x):
        embedding, *rest, gain, shift, w, b = weights
        h = embedding[jnp.concatenate([jnp.full_like(x[:, :1], V), x[:, :-1]], axis=1)]
        for i in range(DEPTH):
            h = layer(h, *rest[3 * i : 3 * (i + 1)])
        h = (h - h.mean(2, keepdims=True)) / jnp.sqrt(h.var(2, keepdims=True) + EPS) * gain + shift
        return -jnp.take_along_axis(log_softmax(h @ w + b), x[:, :, None], axis=2).mean()

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    """One product for the inputs of all steps, and one for each step's state, forward and backward."""
    rows = n * T
    inputs = [(rows, C, 4 * C), (C, rows, 4 * C), (rows, 4 * C, C)]
    states = [(T, n, C, 4 * C), (C, rows, 4 * C), (T, n, 4 * C, C)]
    head = [(rows, C, V), (C, rows, V), (rows, V, C)]
    return DEPTH * (inputs + states) + head
