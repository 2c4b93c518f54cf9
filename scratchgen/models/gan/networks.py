"""The networks that the players of a GAN are usually made of: dense, and DCGAN's for 28×28 digits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchgen.initializers import glorot_uniform, normal
from scratchgen.layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
)

Init = Callable[..., np.ndarray]

small_pixel_init = functools.partial(normal, std=0.004)
"""An initializer for the weights next to the pixels, with about a tenth of Glorot's standard deviation.

A dense D reads pixels through its first weights, and G writes them through its last. As long as these weights
are mostly their initial noise, each pixel is pushed in a direction of its own (docs/gan.md, section 12).
"""


def dense_generator(
    code: int,
    hidden: int,
    pixels: int,
    *,
    batch_norm: bool = True,
    pixel_init: Init = glorot_uniform,
    rng: np.random.Generator,
    dtype: Any = np.float32,
) -> Sequential:
    """(N, code) -> (N, pixels) between 0 and 1, through two hidden layers with batch norm and ReLU.

    pixel_init : how the last weights begin
    """
    kind = {"rng": rng, "dtype": dtype}
    layers: list[Layer] = []
    for fan_in in (code, hidden):
        norm: list[Layer] = [BatchNorm(hidden, dtype=dtype)] if batch_norm else []
        layers += [Linear(fan_in, hidden, bias=not batch_norm, **kind), *norm, ReLU()]
    return Sequential(*layers, Linear(hidden, pixels, init=pixel_init, **kind), Sigmoid())


def dense_critic(
    pixels: int,
    hidden: int,
    *,
    dropout: float = 0.0,
    pixel_init: Init = glorot_uniform,
    rng: np.random.Generator,
    dtype: Any = np.float32,
) -> Sequential:
    """(N, pixels) -> (N, 1) through two hidden layers with leaky ReLU, and dropout where it is asked for.

    pixel_init : how the first weights begin
    """
    kind = {"rng": rng, "dtype": dtype}
    layers: list[Layer] = []
    for fan_in, init in ((pixels, pixel_init), (hidden, glorot_uniform)):
        drop: list[Layer] = [Dropout(dropout, rng=rng)] if dropout else []
        layers += [Linear(fan_in, hidden, init=init, **kind), LeakyReLU(0.2), *drop]
    return Sequential(*layers, Linear(hidden, 1, **kind))


def conv_generator(
    code: int, channels: Sequence[int], *, hidden: int = 0, rng: np.random.Generator, dtype: Any = np.float32
) -> Sequential:
    """code → 7×7×C2 → 14×14×C1 → 28×28×1 → 784, between 0 and 1; batch norm everywhere but at the output.

    hidden : the width of a dense layer behind the code, or 0. With it, batch norm takes each of the 7×7×C2
        numbers by itself: over the places of a channel, behind a hidden layer, it was content with a picture
        that was the same for all codes (docs/gan.md, 13)
    """
    c1, c2 = channels
    kind = {"rng": rng, "dtype": dtype}
    grid = 7 * 7 * c2
    if hidden:
        first: list[Layer] = [
            Linear(code, hidden, bias=False, **kind),
            BatchNorm(hidden, dtype=dtype),
            ReLU(),
            Linear(hidden, grid, bias=False, **kind),
            BatchNorm(grid, dtype=dtype),
            Reshape(7, 7, c2),
        ]
    else:
        first = [Linear(code, grid, bias=False, **kind), Reshape(7, 7, c2), BatchNorm(c2, dtype=dtype)]
    return Sequential(
        *first,
        ReLU(),
        ConvTranspose2d(c2, c1, 4, stride=2, padding=1, bias=False, **kind),
        BatchNorm(c1, dtype=dtype),
        ReLU(),
        ConvTranspose2d(c1, 1, 4, stride=2, padding=1, **kind),
        Flatten(),
        Sigmoid(),
    )


def conv_critic(
    channels: Sequence[int],
    *,
    batch_norm: bool,
    hidden: int = 0,
    rng: np.random.Generator,
    dtype: Any = np.float32,
) -> Sequential:
    """784 → 28×28×1 → 14×14×C1 → 7×7×C2 → 1 with leaky ReLU; batch norm after the second convolution only.

    hidden : the width of a dense layer before the logit, or 0. Each of the 7×7 places sees 10×10 pixels, and
        without a hidden layer the logit is a sum of what each says alone (docs/gan.md, section 13)
    """
    c1, c2 = channels
    kind = {"rng": rng, "dtype": dtype}
    norm: list[Layer] = [BatchNorm(c2, dtype=dtype)] if batch_norm else []
    last: list[Layer] = [Linear(7 * 7 * c2, hidden, **kind), LeakyReLU(0.2)] if hidden else []
    return Sequential(
        Reshape(28, 28, 1),
        Conv2d(1, c1, 4, stride=2, padding=1, **kind),
        LeakyReLU(0.2),
        Conv2d(c1, c2, 4, stride=2, padding=1, bias=not batch_norm, **kind),
        *norm,
        LeakyReLU(0.2),
        Flatten(),
        *last,
        Linear(hidden or 7 * 7 * c2, 1, **kind),
    )
