"""MADE 784-500-784 in the natural order."""

from __future__ import annotations

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.models import MADE
from steps import dense_products, digits_like

HIDDEN = 500


def model(dtype):
    return MADE(784, (HIDDEN,), rng=np.random.default_rng(0), dtype=dtype)


def data(n, dtype):
    return [((x > 0.1).astype(dtype),) for (x,) in digits_like(n, dtype)]


def noise(n, dtype):
    return ()


def ours(dtype):
    return one_loss(model(dtype))


def pytorch(dtype, way: Way):
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits, linear

    class MaskedLinear(nn.Linear):
        def __init__(self, mask):
            super().__init__(*mask.shape)
            self.register_buffer("mask", torch.from_numpy(mask.T.astype(dtype)))

        def forward(self, x):
            return linear(x, self.weight * self.mask, self.bias)

    first, second = model(dtype).masks(0)
    net = nn.Sequential(MaskedLinear(first), nn.ReLU(), MaskedLinear(second))

    def loss(x):
        return binary_cross_entropy_with_logits(net(x), x, reduction="sum") / len(x)

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    from jax.nn import relu, softplus

    first, second = (mask.astype(dtype) for mask in model(dtype).masks(0))

    def loss(weights, key, x):
        w1, b1, w2, b2 = weights
        logits = relu(x @ (w1 * first) + b1) @ (w2 * second) + b2
        return (softplus(logits) - x * logits).sum() / len(x)

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    return dense_products((784, HIDDEN, 784), n)
