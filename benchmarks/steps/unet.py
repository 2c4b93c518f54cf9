"""Flow matching with a U-Net of 32 and 64 channels for images of 28x28 pixels, squeezed to 14x14x4."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jax_side import jax_one_loss
from ours_side import one_loss
from pytorch_side import Way
from pytorch_side import one_loss as pytorch_one_loss

from scratchgen.layers.time_embedding import frequencies
from scratchgen.models import FlowMatching
from steps import digits_like

C1, C2, GROUPS, EMBEDDING, WAVES = 32, 64, 8, 128, 64
LEVELS = 256
EPS = 1e-5      # of group norm
data = digits_like


def model(dtype):
    """A U-Net with small random numbers added to its zero weights, at which most gradients would be zero."""
    rng = np.random.default_rng(0)
    found = FlowMatching.convolutional((C1, C2), embedding=EMBEDDING, levels=LEVELS, rng=rng, dtype=dtype)
    for p in found.parameters().values():
        p.value[...] += 0.01 * rng.standard_normal(p.shape)
    return found


def noise(n, dtype):
    """x_0 and t of (FM.1). The pixels of the batch are x_1, without dequantisation."""
    rng = np.random.default_rng(2)
    return rng.standard_normal((n, 784)).astype(dtype), rng.random(n).astype(dtype)


def ours(dtype):
    return one_loss(model(dtype), noise=("x0", "t"))


def pytorch(dtype, way: Way):
    import torch
    from torch import nn
    from torch.nn.functional import interpolate, mse_loss, pixel_shuffle, pixel_unshuffle

    def head(c_in, c_out):
        return nn.Sequential(nn.GroupNorm(GROUPS, c_in), nn.SiLU(), nn.Conv2d(c_in, c_out, 3, padding=1))

    class Block(nn.Module):
        def __init__(self, c_in, c_out):
            super().__init__()
            self.first, self.second = head(c_in, c_out), head(c_out, c_out)
            self.shift = nn.Linear(EMBEDDING, c_out)
            self.skip = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

        def forward(self, x, e):
            h = self.first(x) + self.shift(e)[:, :, None, None]
            return self.skip(x) + self.second(h)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("waves", torch.from_numpy(frequencies(WAVES, dtype)))
            self.condition = nn.Sequential(
                nn.Linear(WAVES, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU()
            )
            self.first, self.down = nn.Conv2d(4, C1, 3, padding=1), Block(C1, C1)
            self.middle = nn.ModuleList([Block(C1, C2), Block(C2, C2)])
            self.up, self.last = Block(C1 + C2, C1), head(C1, 4)

        def forward(self, x, t):
            angles = t[:, None] * self.waves
            e = self.condition(torch.cat([angles.sin(), angles.cos()], dim=1))
            kept = self.down(self.first(pixel_unshuffle(x.view(-1, 1, 28, 28), 2)), e)
            h = nn.functional.avg_pool2d(kept, 2)
            for block in self.middle:
                h = block(h, e)
            h = self.up(torch.cat([interpolate(h, scale_factor=2), kept], dim=1), e)
            return pixel_shuffle(self.last(h), 2).reshape(x.shape)

    net = Net()

    def loss(x, x0=None, t=None):
        if x0 is None:
            x = 2 * ((LEVELS - 1) * x + torch.rand_like(x)) / LEVELS - 1
            x0, t = torch.randn_like(x), torch.rand(len(x), dtype=x.dtype)
        xt = (1 - t[:, None]) * x0 + t[:, None] * x
        return mse_loss(net(xt, t), x - x0)

    return pytorch_one_loss(net, loss, model(dtype), dtype, way)


def jax(dtype):
    import jax.numpy as jnp
    from jax.lax import conv_general_dilated
    from jax.nn import silu
    from jax.random import normal, split, uniform

    waves = frequencies(WAVES, dtype)

    def conv(x, w, b):
        return conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b

    def head(x, weight, bias, w, b):
        groups = x.reshape(len(x), -1, GROUPS, x.shape[3] // GROUPS)
        mean, var = groups.mean((1, 3), keepdims=True), groups.var((1, 3), keepdims=True)
        xhat = ((groups - mean) / jnp.sqrt(var + EPS)).reshape(x.shape)
        return conv(silu(xhat * weight + bias), w, b)

    def block(x, e, weights):
        shift, bias, *skip = weights[8:]
        h = head(x, *weights[:4]) + (e @ shift + bias)[:, None, None]
        return (conv(x, *skip) if skip else x) + head(h, *weights[4:8])

    def squeeze(x):
        blocks = x.reshape(-1, 14, 2, 14, 2).transpose(0, 1, 3, 2, 4)
        return blocks.reshape(-1, 14, 14, 4)

    def unsqueeze(z):
        return z.reshape(-1, 14, 14, 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 784)

    def velocity(weights, x, t):
        w1, b1, w2, b2, w, b, *rest = weights
        ends = (0, 10, 22, 32, 44, 48)      # a block has 10 weights, or 12 with a skip
        down, first, second, up, last = (rest[i:j] for i, j in pairwise(ends))
        angles = t[:, None] * waves
        e = silu(silu(jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], 1) @ w1 + b1) @ w2 + b2)
        kept = block(conv(squeeze(x), w, b), e, down)
        h = kept.reshape(-1, 7, 2, 7, 2, C1).mean((2, 4))
        h = block(block(h, e, first), e, second)
        upsampled = h.repeat(2, axis=1).repeat(2, axis=2)
        h = block(jnp.concatenate([upsampled, kept], axis=3), e, up)
        return unsqueeze(head(h, *last))

    def loss(weights, key, x, x0=None, t=None):
        if x0 is None:
            first, second, third = split(key, 3)
            x = 2 * ((LEVELS - 1) * x + uniform(first, x.shape, x.dtype)) / LEVELS - 1
            x0, t = normal(second, x.shape, x.dtype), uniform(third, (len(x),), x.dtype)
        xt = (1 - t[:, None]) * x0 + t[:, None] * x
        return ((velocity(weights, xt, t) - (x - x0)) ** 2).mean()

    return jax_one_loss(loss, model(dtype), dtype)


def products(n):
    """The products of the convolutions (with patches) and of the linear layers, forward and backward.

    A convolution of c_in channels to c_out has patches of taps·c_in numbers. The gradients of the noisy
    image and of the time's waves are not needed.
    """
    high, low = n * 196, n * 49     # pixels at 14x14 and at 7x7
    convolutions = [
        (high, 9 * C1, C1), (high, 9 * C1, C1),                                 # down
        (low, 9 * C1, C2), (low, 9 * C2, C2), (low, C1, C2),                    # middle, the first block
        (low, 9 * C2, C2), (low, 9 * C2, C2),                                   # the second
        (high, 9 * (C1 + C2), C1), (high, 9 * C1, C1), (high, C1 + C2, C1),     # up
        (high, 9 * C1, 4),                                                      # last
    ]  # fmt: skip
    shifts = [(n, EMBEDDING, c) for c in (C1, C2, C2, C1)]
    inputs = [(high, 9 * 4, C1), (n, WAVES, EMBEDDING)]
    inner = [*convolutions, *shifts, (n, EMBEDDING, EMBEDDING)]
    forward = [*inputs, *inner]
    weights = [(d, m, k) for m, d, k in forward]
    return forward + weights + [(m, k, d) for m, d, k in inner]
