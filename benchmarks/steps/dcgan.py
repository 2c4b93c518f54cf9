"""DCGAN with 64 and 128 channels, 4x4 kernels, stride 2: one step of each network."""

from __future__ import annotations

import numpy as np
from jax_side import jax_game
from ours_side import game
from pytorch_side import Way
from pytorch_side import game as pytorch_game

from scratchgen.models import DCGAN
from steps import digits_like
from steps.gan import CODE, jax_draw, jax_losses, noise, pytorch_draw, pytorch_losses

C1, C2 = 64, 128
data = digits_like
__all__ = ["data", "jax", "model", "noise", "ours", "products", "pytorch"]


def model(dtype):
    return DCGAN(CODE, (C1, C2), rng=np.random.default_rng(0), dtype=dtype)


def ours(dtype):
    return game(model(dtype))


def pytorch(dtype, way: Way):
    net = pytorch_net(True, way.channels_last)
    return pytorch_game(net, pytorch_draw, pytorch_losses(net), model(dtype), dtype, way)


def pytorch_net(batch_norm: bool, channels_last: bool):
    """Both networks in PyTorch's order of axes, (N, C, H, W); batch_norm : of the discriminator."""
    import torch
    from torch import nn

    class FromCode(nn.Linear):      # our columns are (H, W, C), PyTorch's rows (C, H, W)
        layouts = {
            "weight": (
                lambda w: w.reshape(-1, 7, 7, C2).transpose(3, 1, 2, 0).reshape(-1, len(w)),
                lambda w: w.reshape(C2, 7, 7, -1).transpose(3, 1, 2, 0).reshape(w.shape[1], -1),
            )
        }

    class ToValue(nn.Linear):
        layouts = {
            "weight": (
                lambda w: w.reshape(7, 7, C2).transpose(2, 0, 1).reshape(1, -1),
                lambda w: w.reshape(C2, 7, 7).transpose(1, 2, 0).reshape(-1, 1),
            )
        }

    class ChannelsLast(nn.Module):      # converts a linear layer's output; later layers keep the format
        def forward(self, x):
            return x.contiguous(memory_format=torch.channels_last)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            turned = [ChannelsLast()] if channels_last else []
            self.generator = nn.Sequential(
                FromCode(CODE, C2 * 49, bias=False), nn.Unflatten(1, (C2, 7, 7)), *turned,
                nn.BatchNorm2d(C2), nn.ReLU(),
                nn.ConvTranspose2d(C2, C1, 4, 2, 1, bias=False), nn.BatchNorm2d(C1), nn.ReLU(),
                nn.ConvTranspose2d(C1, 1, 4, 2, 1), nn.Flatten(), nn.Sigmoid(),
            )  # fmt: skip
            norm = [nn.BatchNorm2d(C2)] if batch_norm else []
            self.discriminator = nn.Sequential(
                nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, C1, 4, 2, 1), nn.LeakyReLU(0.2),
                nn.Conv2d(C1, C2, 4, 2, 1, bias=not batch_norm), *norm, nn.LeakyReLU(0.2),
                nn.Flatten(), ToValue(C2 * 49, 1),
            )  # fmt: skip

    return Net()


def jax(dtype):
    return jax_game(jax_draw, jax_losses(jax_generate, jax_discriminate), model(dtype), dtype)


def batch_norm(x, weight, bias):
    import jax.numpy as jnp

    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / jnp.sqrt(var + 1e-5) * weight + bias


def conv(x, w):
    from jax.lax import conv_general_dilated

    return conv_general_dilated(x, w, (2, 2), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv_transpose(x, w):
    """The input gradient of a convolution; w (KH, KW, C_in, C_out), with its taps reversed."""
    from jax.lax import conv_general_dilated

    return conv_general_dilated(
        x, w[::-1, ::-1], (1, 1), [(2, 2), (2, 2)], (2, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def jax_generate(weights, z):
    from jax.nn import relu, sigmoid

    w1, n1, o1, w2, n2, o2, w3, b3 = weights
    x = relu(batch_norm((z @ w1).reshape(-1, 7, 7, C2), n1, o1))
    x = relu(batch_norm(conv_transpose(x, w2), n2, o2))
    return sigmoid((conv_transpose(x, w3) + b3).reshape(len(z), -1))


def jax_discriminate(weights, x):
    from jax.nn import leaky_relu

    w1, b1, w2, n2, o2, w3, b3 = weights
    x = leaky_relu(conv(x.reshape(-1, 28, 28, 1), w1) + b1, 0.2)
    x = leaky_relu(batch_norm(conv(x, w2), n2, o2), 0.2)
    return x.reshape(len(x), -1) @ w3 + b3


def products(n):
    """The products of the convolutions (with patches) and of the linear layers."""
    first, second = (n * 196, 16, C1), (n * 49, 16 * C1, C2)    # of the critic, forward
    generator = [(n, CODE, 49 * C2), (n * 49, C2, 16 * C1), (n * 196, C1, 16)]
    critic = [first, second, (n, 49 * C2, 1)]
    critic_weights = [(16, n * 196, C1), (16 * C1, n * 49, C2), (49 * C2, n, 1)]
    critic_inner = [(n * 49, C2, 16 * C1), (n, 1, 49 * C2)]
    critic_step = generator + 2 * (critic + critic_weights + critic_inner)
    generator_weights = [(CODE, n, 49 * C2), (C2, n * 49, 16 * C1), (C1, n * 196, 16)]
    generator_inner = [(n * 49, 16 * C1, C2), (n * 196, 16, C1)]
    critic_frozen = [*critic, *critic_inner, (n * 196, C1, 16)]
    return critic_step + generator + critic_frozen + generator_weights + generator_inner
