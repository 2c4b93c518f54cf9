"""WGAN with gradient penalty on DCGAN's networks, the critic without batch norm: one step of each network."""

from __future__ import annotations

import numpy as np
from jax_side import jax_game
from ours_side import game
from pytorch_side import Way
from pytorch_side import game as pytorch_game

from scratchgen.models import WGAN
from steps import dcgan, digits_like
from steps.gan import CODE, jax_draw, pytorch_draw

WEIGHT = 10.0
data = digits_like


def model(dtype):
    rng = np.random.default_rng(0)
    return WGAN.convolutional(CODE, (dcgan.C1, dcgan.C2), rng=rng, dtype=dtype, penalty=WEIGHT, k=1)


def noise(n, dtype):
    rng = np.random.default_rng(2)
    return (*rng.standard_normal((2, n, CODE)).astype(dtype), rng.random((n, 1)).astype(dtype))


def ours(dtype):
    return game(model(dtype))


def pytorch(dtype, way: Way):
    import torch

    net = dcgan.pytorch_net(False, way.channels_last)

    def critic_loss(x, z, u=None):
        with torch.no_grad():
            fake = net.generator(z)
        u = torch.rand(len(x), 1, dtype=x.dtype) if u is None else u
        between = (u * x + (1 - u) * fake).requires_grad_()
        slope = torch.autograd.grad(net.discriminator(between).sum(), between, create_graph=True)[0]
        penalty = WEIGHT * ((slope.norm(dim=1) - 1) ** 2).mean()
        return net.discriminator(fake).mean() - net.discriminator(x).mean() + penalty

    def generator_loss(x, z):
        return -net.discriminator(net.generator(z)).mean()

    return pytorch_game(net, pytorch_draw, (critic_loss, generator_loss), model(dtype), dtype, way)


def jax(dtype):
    import jax.numpy as jnp
    from jax import grad
    from jax.nn import leaky_relu
    from jax.random import uniform

    def discriminate(weights, x):
        w1, b1, w2, b2, w3, b3 = weights
        x = leaky_relu(dcgan.conv(x.reshape(-1, 28, 28, 1), w1) + b1, 0.2)
        x = leaky_relu(dcgan.conv(x, w2) + b2, 0.2)
        return x.reshape(len(x), -1) @ w3 + b3

    def critic_loss(critic, generator, key, x, z, u=None):
        fake = dcgan.jax_generate(generator, z)
        u = uniform(key, (len(x), 1), x.dtype) if u is None else u
        slope = grad(lambda between: discriminate(critic, between).sum())(u * x + (1 - u) * fake)
        penalty = WEIGHT * ((jnp.sqrt((slope**2).sum(1)) - 1) ** 2).mean()
        return discriminate(critic, fake).mean() - discriminate(critic, x).mean() + penalty

    def generator_loss(generator, critic, x, z):
        return -discriminate(critic, dcgan.jax_generate(generator, z)).mean()

    return jax_game(jax_draw, (critic_loss, generator_loss), model(dtype), dtype)


def products(n):
    """The products of DCGAN; for the penalty also forward, backward to the image, tangent and weights."""
    c1, c2 = dcgan.C1, dcgan.C2
    along = [(n * 196, 16, c1), (n * 49, 16 * c1, c2), (n, 49 * c2, 1)]
    back = [(n * 196, c1, 16), (n * 49, c2, 16 * c1), (n, 1, 49 * c2)]
    weights = [(16, n * 196, c1), (16 * c1, n * 49, c2), (49 * c2, n, 1)]
    return dcgan.products(n) + 2 * along + back + weights
