"""The dense GAN 1200-1200: one step of the discriminator and one of the generator."""

from __future__ import annotations

import numpy as np
from jax_side import jax_game
from ours_side import game
from pytorch_side import Way
from pytorch_side import game as pytorch_game

from scratchgen.models import GAN
from scratchgen.models.gan.networks import dense_critic, dense_generator
from steps import dense_products, digits_like

CODE, HIDDEN = 100, 1200
data = digits_like


def model(dtype):
    kind = {"rng": np.random.default_rng(0), "dtype": dtype}
    generator = dense_generator(CODE, (HIDDEN, HIDDEN), 784, batch_norm=False, **kind)
    return GAN(generator, dense_critic(784, (HIDDEN, HIDDEN), **kind), code=CODE)


def noise(n, dtype):
    return tuple(np.random.default_rng(2).standard_normal((2, n, CODE)).astype(dtype))


def ours(dtype):
    return game(model(dtype))


def pytorch(dtype, way: Way):
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = nn.Sequential(
                nn.Linear(CODE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
                nn.Linear(HIDDEN, 784), nn.Sigmoid(),
            )  # fmt: skip
            self.discriminator = nn.Sequential(
                nn.Linear(784, HIDDEN), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(0.2),
                nn.Linear(HIDDEN, 1),
            )  # fmt: skip

    net = Net()
    return pytorch_game(net, pytorch_draw, pytorch_losses(net), model(dtype), dtype, way)


def pytorch_draw(n, like):
    import torch

    return torch.randn(n, CODE, dtype=like.dtype)


def pytorch_losses(net):
    """The losses (GAN.2) and (GAN.5), for any two networks."""
    import torch
    from torch.nn.functional import softplus

    def critic_loss(x, z):
        with torch.no_grad():
            fake = net.generator(z)
        return softplus(-net.discriminator(x)).mean() + softplus(net.discriminator(fake)).mean()

    def generator_loss(x, z):
        return softplus(-net.discriminator(net.generator(z))).mean()

    return critic_loss, generator_loss


def jax(dtype):
    from jax.nn import leaky_relu, relu, sigmoid

    def generate(weights, z):
        w1, b1, w2, b2, w3, b3 = weights
        return sigmoid(relu(relu(z @ w1 + b1) @ w2 + b2) @ w3 + b3)

    def discriminate(weights, x):
        w1, b1, w2, b2, w3, b3 = weights
        return leaky_relu(leaky_relu(x @ w1 + b1, 0.2) @ w2 + b2, 0.2) @ w3 + b3

    return jax_game(jax_draw, jax_losses(generate, discriminate), model(dtype), dtype)


def jax_draw(key, like):
    from jax.random import normal

    return normal(key, (len(like), CODE), like.dtype)


def jax_losses(generate, discriminate):
    """The losses (GAN.2) and (GAN.5), for any two networks."""
    from jax.nn import softplus

    def critic_loss(critic, generator, key, x, z):
        fake = generate(generator, z)
        return softplus(-discriminate(critic, x)).mean() + softplus(discriminate(critic, fake)).mean()

    def generator_loss(generator, critic, x, z):
        return softplus(-discriminate(critic, generate(generator, z))).mean()

    return critic_loss, generator_loss


def products(n):
    generator = [(n, CODE, HIDDEN), (n, HIDDEN, HIDDEN), (n, HIDDEN, 784)]
    critic = [(n, 784, HIDDEN), (n, HIDDEN, HIDDEN), (n, HIDDEN, 1)]
    critic_frozen = [(n, 1, HIDDEN), (n, HIDDEN, HIDDEN), (n, HIDDEN, 784)]
    critic_step = generator + 2 * dense_products((784, HIDDEN, HIDDEN, 1), n)
    return critic_step + dense_products((CODE, HIDDEN, HIDDEN, 784), n) + critic + critic_frozen
