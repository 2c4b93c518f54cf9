"""The VAE 784-400-20, on pixels in [0, 1], not binarised."""

from __future__ import annotations

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.models import VAE
from steps import dense_products, digits_like

HIDDEN, CODE = 400, 20
data = digits_like


def model(dtype):
    return VAE.dense((784, HIDDEN, CODE), rng=np.random.default_rng(0), dtype=dtype, binarisation="none")


def noise(n, dtype):
    return (np.random.default_rng(2).standard_normal((n, CODE)).astype(dtype),)


def ours(dtype):
    return one_loss(model(dtype), noise=("eps",))


def pytorch(dtype, way: Way):
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(784, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 2 * CODE))
            self.decoder = nn.Sequential(nn.Linear(CODE, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 784))

    net = Net()

    def loss(x, eps=None):
        mu, logvar = net.encoder(x).chunk(2, dim=1)
        eps = torch.randn_like(mu) if eps is None else eps
        logits = net.decoder(mu + torch.exp(0.5 * logvar) * eps)
        nll = binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
        return (nll + kl) / len(x)

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    import jax.numpy as jnp
    from jax.nn import silu, softplus
    from jax.random import normal

    def loss(weights, key, x, eps=None):
        w1, b1, w2, b2, w3, b3, w4, b4 = weights
        mu, logvar = jnp.split(silu(x @ w1 + b1) @ w2 + b2, 2, axis=1)
        eps = normal(key, mu.shape, mu.dtype) if eps is None else eps
        z = mu + jnp.exp(0.5 * logvar) * eps
        logits = silu(z @ w3 + b3) @ w4 + b4
        nll = (softplus(logits) - x * logits).sum()
        kl = 0.5 * (mu**2 + jnp.exp(logvar) - 1 - logvar).sum()
        return (nll + kl) / len(x)

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    decoder = [*dense_products((CODE, HIDDEN, 784), n), (n, HIDDEN, CODE)]  # last: the gradient of z
    return dense_products((784, HIDDEN, 2 * CODE), n) + decoder
