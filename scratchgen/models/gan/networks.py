"""The usual networks of GANs: dense ones, and those of DCGAN for images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.initializers import glorot_uniform, normal
from scratchgen.layers import (
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    SpectralNorm,
)
from scratchgen.models.arguments import (
    as_dtype,
    count,
    finite,
    flag,
    function,
    image_shape,
    value_range,
    widths,
)
from scratchgen.models.arguments import channels as as_channels
from scratchgen.models.networks import Range, doubling, output_layers

Init = Callable[..., np.ndarray]

small_pixel_init = functools.partial(normal, std=0.004)
"""An initializer for the weights next to the pixels, with about a tenth of Glorot's standard deviation.

A dense D reads pixels through its first weights, and G writes them through its last. As long as these weights
are mostly initial noise, each pixel gets an update in its own random direction (docs/gan.md, section 12).
"""


def spectrally_normalised(net: Layer) -> Any:
    """The same network, in which every Linear and Conv2d is inside a SpectralNorm."""
    if isinstance(net, Sequential):
        return Sequential(*(spectrally_normalised(layer) for layer in net.layers))
    return SpectralNorm(net) if isinstance(net, Linear | Conv2d) else net


def dense_generator(
    code: int,
    hidden: int | Sequence[int],
    features: int,
    *,
    batch_norm: bool = True,
    pixel_init: Init = glorot_uniform,
    output_range: Range | None = (0.0, 1.0),
    rng: np.random.Generator | int,
    dtype: Any = np.float32,
) -> Sequential:
    """(N, code) -> (N, features) within `output_range`, through hidden layers with batch norm and ReLU.

    hidden : their widths; an int stands for one layer of that width
    pixel_init : initializer of the last weights
    output_range : (low, high) of the output, by a sigmoid; None for a linear output
    """
    net_args: dict[str, Any] = {"rng": as_generator("dense_generator", rng), "dtype": dtype}
    sizes = (code, *widths("dense_generator", "hidden", hidden))
    layers: list[Layer] = []
    for fan_in, fan_out in pairwise(sizes):
        norm: list[Layer] = [BatchNorm(fan_out, dtype=dtype)] if batch_norm else []
        layers += [Linear(fan_in, fan_out, bias=not batch_norm, **net_args), *norm, ReLU()]
    last = Linear(sizes[-1], features, init=pixel_init, **net_args)
    return Sequential(*layers, last, *output_layers(output_range))


def dense_critic(
    features: int,
    hidden: int | Sequence[int],
    *,
    dropout: float = 0.0,
    pixel_init: Init = glorot_uniform,
    rng: np.random.Generator | int,
    dtype: Any = np.float32,
) -> Sequential:
    """(N, features) -> (N, 1) through hidden layers with leaky ReLU and, if `dropout` is above 0, dropout.

    hidden : their widths; an int stands for one layer of that width
    pixel_init : initializer of the first weights
    """
    rng = as_generator("dense_critic", rng)
    net_args: dict[str, Any] = {"rng": rng, "dtype": dtype}
    sizes = (features, *widths("dense_critic", "hidden", hidden))
    layers: list[Layer] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        init = pixel_init if i == 0 else glorot_uniform
        drop: list[Layer] = [Dropout(dropout, rng=rng)] if dropout else []
        layers += [Linear(fan_in, fan_out, init=init, **net_args), LeakyReLU(0.2), *drop]
    return Sequential(*layers, Linear(sizes[-1], 1, **net_args))


def conv_generator(
    code: int,
    channels: Sequence[int],
    *,
    hidden: int | Sequence[int] = (),
    shape: tuple[int, int, int] = (28, 28, 1),
    output_range: Range | None = (0.0, 1.0),
    rng: np.random.Generator | int,
    dtype: Any = np.float32,
) -> Sequential:
    """code → H/4×W/4×C2 → H/2×W/2×C1 → H×W×C → H·W·C, with batch norm everywhere except at the output.

    hidden : widths of dense layers after the code. With one, batch norm normalises each of the H/4·W/4·C2
        numbers separately: when it normalised a channel over all places, after a hidden layer, the generator
        learnt to output the same image for all codes (docs/gan.md, section 13)
    output_range : (low, high) of the output, by a sigmoid; None for a linear output
    """
    height, width, depth = image_shape("conv_generator", shape, least=4)
    c1, c2 = channels
    net_args: dict[str, Any] = {"rng": as_generator("conv_generator", rng), "dtype": dtype}
    grid = (height // 4, width // 4, c2)
    places = height // 4 * (width // 4) * c2
    sizes = (code, *widths("conv_generator", "hidden", hidden))
    first: list[Layer] = []
    for fan_in, fan_out in pairwise(sizes):
        first += [Linear(fan_in, fan_out, bias=False, **net_args), BatchNorm(fan_out, dtype=dtype), ReLU()]
    first.append(Linear(sizes[-1], places, bias=False, **net_args))
    if len(sizes) > 1:
        first += [BatchNorm(places, dtype=dtype), Reshape(*grid)]
    else:
        first += [Reshape(*grid), BatchNorm(c2, dtype=dtype)]
    return Sequential(
        *first,
        ReLU(),
        doubling(c2, c1, (height // 2, width // 2), bias=False, **net_args),
        BatchNorm(c1, dtype=dtype),
        ReLU(),
        doubling(c1, depth, (height, width), **net_args),
        Flatten(),
        *output_layers(output_range),
    )


def conv_critic(
    channels: Sequence[int],
    *,
    batch_norm: bool,
    hidden: int | Sequence[int] = (),
    shape: tuple[int, int, int] = (28, 28, 1),
    rng: np.random.Generator | int,
    dtype: Any = np.float32,
) -> Sequential:
    """H·W·C → H×W×C → H/2×W/2×C1 → H/4×W/4×C2 → 1 with leaky ReLU.

    batch_norm : whether there is batch norm after the second convolution
    hidden : widths of dense layers before the logit. Each of the H/4×W/4 places sees 10×10 pixels; without a
        hidden layer the logit is a sum of one term for each place (docs/gan.md, section 13)
    """
    height, width, depth = image_shape("conv_critic", shape, least=4)
    c1, c2 = channels
    net_args: dict[str, Any] = {"rng": as_generator("conv_critic", rng), "dtype": dtype}
    norm: list[Layer] = [BatchNorm(c2, dtype=dtype)] if batch_norm else []
    sizes = (height // 4 * (width // 4) * c2, *widths("conv_critic", "hidden", hidden))
    last: list[Layer] = []      # made first: the order of the random numbers
    for fan_in, fan_out in pairwise(sizes):
        last += [Linear(fan_in, fan_out, **net_args), LeakyReLU(0.2)]
    convolutions: list[Layer] = [
        Reshape(height, width, depth),
        Conv2d(depth, c1, 4, stride=2, padding=1, **net_args),
        LeakyReLU(0.2),
        Conv2d(c1, c2, 4, stride=2, padding=1, bias=not batch_norm, **net_args),
        *norm,
        LeakyReLU(0.2),
        Flatten(),
    ]
    return Sequential(*convolutions, *last, Linear(sizes[-1], 1, **net_args))


def dense_players(
    who: str,
    code: int,
    hidden: int | Sequence[int],
    features: int,
    *,
    dropout: float = 0.0,
    pixel_init: Init = glorot_uniform,
    output_range: Range | None,
    spectral_norm: bool = False,
    labels: tuple[int, int] = (0, 0),
    rng: np.random.Generator | int,
    dtype: Any,
) -> tuple[Sequential, Sequential]:
    """Check the arguments of a constructor; return its `dense_critic`, which draws first, and generator.

    labels : numbers of further inputs of the critic and of the generator, for a label
    """
    code, features = count(who, "code", code), count(who, "features", features)
    hidden = widths(who, "hidden", hidden)
    net_args: dict[str, Any] = {
        "pixel_init": function(who, "pixel_init", pixel_init),
        "rng": as_generator(who, rng),
        "dtype": as_dtype(who, dtype),
    }
    dropout = finite(who, "dropout", dropout, least=0, below=1)
    output_range = value_range(who, output_range)
    spectral_norm = flag(who, "spectral_norm", spectral_norm)
    critic = dense_critic(features + labels[0], hidden, dropout=dropout, **net_args)
    generator = dense_generator(code + labels[1], hidden, features, output_range=output_range, **net_args)
    return spectrally_normalised(critic) if spectral_norm else critic, generator


def conv_players(
    who: str,
    code: int,
    channels: Sequence[int],
    hidden: int | Sequence[int],
    shape: tuple[int, int, int],
    *,
    batch_norm: bool,
    output_range: Range | None,
    spectral_norm: bool = False,
    labels: tuple[int, int] = (0, 0),
    rng: np.random.Generator | int,
    dtype: Any,
) -> tuple[Sequential, Sequential]:
    """Check the arguments of a constructor; return its `conv_generator`, which draws first, and critic.

    With spectral_norm the critic has no batch norm, which would undo it.
    labels : numbers of further channels of the critic and of further inputs of the generator, for a label
    """
    code, channels = count(who, "code", code), as_channels(who, channels, 2)
    net_args: dict[str, Any] = {
        "hidden": widths(who, "hidden", hidden),
        "shape": image_shape(who, shape, least=4),
        "rng": as_generator(who, rng),
        "dtype": as_dtype(who, dtype),
    }
    output_range = value_range(who, output_range)
    generator = conv_generator(code + labels[1], channels, output_range=output_range, **net_args)
    height, width, depth = net_args["shape"]
    net_args["shape"] = (height, width, depth + labels[0])
    spectral_norm = flag(who, "spectral_norm", spectral_norm)
    critic = conv_critic(channels, batch_norm=batch_norm and not spectral_norm, **net_args)
    return generator, spectrally_normalised(critic) if spectral_norm else critic
