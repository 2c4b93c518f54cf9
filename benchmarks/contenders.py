"""The contenders: the same training step, written as its own users would write it.

Each function takes a dtype and returns two: ``step(x)``, one update, and ``gradients(x)``, the loss and the
gradient of every parameter in the order of models.weights.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from models import AUTOENCODER, CODE, weights


def ours(dtype: str):
    from scratchgen.layers import Linear, Sequential, Sigmoid, SiLU
    from scratchgen.models import Autoencoder
    from scratchgen.optim import Adam

    rng = np.random.default_rng(0)
    linear = [
        Linear(a, b, rng=rng, dtype=dtype) for a, b in pairwise(AUTOENCODER)
    ]
    model = Autoencoder(
        Sequential(linear[0], SiLU(), linear[1]), Sequential(linear[2], SiLU(), linear[3], Sigmoid())
    )
    optimizer = Adam(model.parameters(), 1e-3)
    for p, start in zip(model.parameters().values(), weights(dtype), strict=True):
        p.value[...] = start

    def step(x):
        return model.train_step((x,), optimizer, rng)["loss"]

    def gradients(x):
        optimizer.zero_grad()
        loss, cache = model.loss(x)
        model.backward(cache)
        return loss, [p.grad.copy() for p in model.parameters().values()]

    return step, gradients


def torch_eager(dtype: str, fused: bool = False):
    import torch
    from torch import nn

    linear = [nn.Linear(a, b) for a, b in pairwise(AUTOENCODER)]
    layers: list[nn.Module] = []
    for i, layer in enumerate(linear):
        layers += [layer] if i == CODE - 1 or i == len(linear) - 1 else [layer, nn.SiLU()]
    net = nn.Sequential(*layers, nn.Sigmoid()).to(getattr(torch, dtype))
    with torch.no_grad():
        for p, start in zip(net.parameters(), weights(dtype), strict=True):
            p.copy_(torch.from_numpy(start.T if start.ndim == 2 else start))
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=fused)

    def loss_of(x):
        return ((net(x) - x) ** 2).sum() / len(x)

    def step(x):
        x = torch.from_numpy(x)
        optimizer.zero_grad()
        loss = loss_of(x)
        loss.backward()
        optimizer.step()
        return loss.item()

    def gradients(x):
        optimizer.zero_grad()
        loss = loss_of(torch.from_numpy(x))
        loss.backward()
        return loss.item(), [p.grad.numpy().T.copy() for p in net.parameters()]

    return step, gradients


CONTENDERS = {
    "scratchgen": ours,
    "PyTorch eager": torch_eager,
    "PyTorch eager, fused Adam": lambda dtype: torch_eager(dtype, fused=True),
}
