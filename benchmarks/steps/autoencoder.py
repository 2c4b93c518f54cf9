"""The deep autoencoder 784-1000-500-250-30."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.models import Autoencoder
from steps import dense_products, digits_like

SIZES = (784, 1000, 500, 250, 30)
data = digits_like


def model(dtype, sizes=SIZES):
    return Autoencoder.dense(sizes, rng=np.random.default_rng(0), dtype=dtype)


def noise(n, dtype):
    return ()


def ours(dtype, sizes=SIZES):
    return one_loss(model(dtype, sizes))


def up_and_down(sizes):
    return (*sizes, *sizes[-2::-1])


def plain(sizes):
    """The linear layers without a SiLU, counted from 1: those before the latent code and the sigmoid."""
    return len(sizes) - 1, 2 * (len(sizes) - 1)


def pytorch(dtype, way: Way, sizes=SIZES):
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(up_and_down(sizes)), 1):
        layers.append(nn.Linear(a, b))
        if i not in plain(sizes):
            layers.append(nn.SiLU())
    net = nn.Sequential(*layers, nn.Sigmoid())

    def loss(x):
        return torch.nn.functional.mse_loss(net(x), x, reduction="sum") / len(x)

    return pytorch_one_loss(net, loss, model(dtype, sizes), dtype, way)


def jax(dtype):
    from jax.nn import sigmoid, silu

    def loss(weights, key, x):
        out = x
        for i in range(0, len(weights), 2):
            out = out @ weights[i] + weights[i + 1]
            out = out if i // 2 + 1 in plain(SIZES) else silu(out)
        return ((sigmoid(out) - x) ** 2).sum() / len(x)

    return jax_one_loss(loss, model(dtype), dtype)


def products(n, sizes=SIZES):
    return dense_products(up_and_down(sizes), n)
