"""NICE: four additive couplings, each with five ReLU layers of 1,000, and a logistic prior."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.models import NICE
from steps import dense_products, digits_like

COUPLINGS, SIZES = 4, (392, 1000, 1000, 1000, 1000, 1000, 392)
data = digits_like


def model(dtype):
    """NICE with small random numbers added to its zero weights, at which most gradients would be zero."""
    rng = np.random.default_rng(0)
    found = NICE.dense(784, SIZES[1:-1], COUPLINGS, rng=rng, dtype=dtype)
    for p in found.parameters().values():
        p.value[...] += 0.01 * rng.standard_normal(p.shape)
    return found


def noise(n, dtype):
    return ()


def ours(dtype):
    return one_loss(model(dtype))


def pytorch(dtype, way: Way):
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    class Scaling(nn.Module):
        def __init__(self, features):
            super().__init__()
            self.log_scale = nn.Parameter(torch.zeros(features))

        def forward(self, x):
            return x * self.log_scale.exp()

    def conditioner():
        layers: list[nn.Module] = []
        for a, b in pairwise(SIZES):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers[:-1], Scaling(SIZES[0]))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conditioners = nn.ModuleList([conditioner() for _ in range(COUPLINGS)])
            self.scaling = Scaling(784)

        def forward(self, x):
            kept, moved = x[:, ::2], x[:, 1::2]
            for net in self.conditioners:
                kept, moved = moved + net(kept), kept
            return self.scaling(torch.stack([kept, moved], dim=2).reshape(len(x), -1))

    net = Net()

    def loss(x):
        z = net(x)
        log_prior = -(z + 2 * softplus(-z)).sum()
        return -log_prior / len(x) - net.scaling.log_scale.sum()

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    import jax.numpy as jnp
    from jax.nn import relu, softplus

    def loss(weights, key, x):
        kept, moved = x[:, ::2], x[:, 1::2]
        size = 2 * (len(SIZES) - 1) + 1
        for i in range(COUPLINGS):
            *net, log_scale = weights[i * size : (i + 1) * size]
            h = kept
            for w, b in zip(net[:-2:2], net[1:-2:2], strict=True):
                h = relu(h @ w + b)
            kept, moved = moved + (h @ net[-2] + net[-1]) * jnp.exp(log_scale), kept
        z = jnp.stack([kept, moved], axis=2).reshape(len(x), -1) * jnp.exp(weights[-1])
        return (z + 2 * softplus(-z)).sum() / len(x) - weights[-1].sum()

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    inner = (n, SIZES[1], SIZES[0])     # the gradient of a conditioner's input; not needed for the first
    return COUPLINGS * dense_products(SIZES, n) + (COUPLINGS - 1) * [inner]
