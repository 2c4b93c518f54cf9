"""The deep autoencoder 784-1000-500-250-30."""

from __future__ import annotations

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.models import Autoencoder
from steps import dense_products, digits_like

SIZES = (784, 1000, 500, 250, 30)
PLAIN = (4, 8)      # the linear layers that no SiLU follows, counted from 1: the code, and the sigmoid's
data = digits_like


def model(dtype):
    return Autoencoder.dense(SIZES, rng=np.random.default_rng(0), dtype=dtype)


def noise(n, dtype):
    return ()


def ours(dtype):
    return one_loss(model(dtype))


def pytorch(dtype, way: Way):
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    up_and_down = (*SIZES, *SIZES[-2::-1])
    for i in range(1, len(up_and_down)):
        layers.append(nn.Linear(up_and_down[i - 1], up_and_down[i]))
        if i not in PLAIN:
            layers.append(nn.SiLU())
    net = nn.Sequential(*layers, nn.Sigmoid())

    def loss(x):
        return torch.nn.functional.mse_loss(net(x), x, reduction="sum") / len(x)

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    from jax.nn import sigmoid, silu

    def loss(weights, key, x):
        out = x
        for i in range(0, len(weights), 2):
            out = out @ weights[i] + weights[i + 1]
            out = out if i // 2 + 1 in PLAIN else silu(out)
        return ((sigmoid(out) - x) ** 2).sum() / len(x)

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    return dense_products((*SIZES, *SIZES[-2::-1]), n)
