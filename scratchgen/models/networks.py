"""Networks that most models use: dense ones of any widths, and convolutional ones for images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.checks import as_generator, as_image_shape, as_widths, positive
from scratchgen.layers import (
    Activation,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    Linear,
    Reshape,
    Sequential,
    SiLU,
)

Rng = np.random.Generator | int
Shape = tuple[int, int, int]    # (H, W, C)


def dense(
    sizes: Sequence[int],
    *,
    rng: Rng,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """Linear layers with the given sizes, and an activation between any two; the output is linear.

    Raises ValueError for fewer than two sizes, or a size below 1.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"a dense network expected two or more sizes of at least 1, got {tuple(sizes)}")
    rng = as_generator("a dense network", rng)
    layers: list[Layer] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [Linear(fan_in, fan_out, rng=rng, dtype=dtype), activation()]
    return Sequential(*layers[:-1])


def dense_sizes(
    who: str,
    sizes: Sequence[int] | None,
    default: Sequence[int],
    features: int | None,
    hidden: int | Sequence[int] | None,
    code: int | None,
    last: str = "code",
) -> tuple[int, ...]:
    """The sizes (features, *hidden, code) of a dense network, from the arguments of a constructor.

    Callers pass either all sizes at once, or some of features, hidden and code; omitted sizes are those of
    `default`. `last` is the name of the last argument. Raises ValueError if both are passed, and for fewer
    than two sizes.
    """
    if sizes is not None and (features, hidden, code) != (None, None, None):
        raise ValueError(f"{who} expected either sizes or features, hidden and {last}, got both")
    if sizes is None:
        inner = default[1:-1] if hidden is None else as_widths(who, hidden)
        sizes = (
            default[0] if features is None else features, *inner, default[-1] if code is None else code
        )
    sizes = tuple(sizes)
    if len(sizes) < 2:
        raise ValueError(f"{who} expected two or more sizes, got {sizes}")
    for size in sizes:
        positive(who, size=size)
    return sizes


def conv_encoder(
    outputs: int,
    channels: tuple[int, int] = (16, 32),
    *,
    shape: Shape = (28, 28, 1),
    rng: Rng,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """Two 4×4 convolutions of stride 2: H·W·C → H×W×C → H/2×W/2×C1 → H/4×W/4×C2 → outputs.

    Raises ValueError unless H and W are divisible by 4.
    """
    height, width, depth = as_image_shape("a convolutional network", shape, multiple=4)
    c1, c2 = channels
    net_args: dict[str, Any] = {"rng": as_generator("a convolutional network", rng), "dtype": dtype}
    return Sequential(
        Reshape(height, width, depth),
        Conv2d(depth, c1, 4, stride=2, padding=1, **net_args),
        activation(),
        Conv2d(c1, c2, 4, stride=2, padding=1, **net_args),
        activation(),
        Flatten(),
        Linear(height // 4 * (width // 4) * c2, outputs, **net_args),
    )


def conv_decoder(
    code: int,
    channels: tuple[int, int] = (16, 32),
    *,
    shape: Shape = (28, 28, 1),
    rng: Rng,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """The reverse, with transposed convolutions: code → H/4×W/4×C2 → H/2×W/2×C1 → H×W×C → H·W·C.

    Raises ValueError unless H and W are divisible by 4.
    """
    height, width, depth = as_image_shape("a convolutional network", shape, multiple=4)
    c1, c2 = channels
    net_args: dict[str, Any] = {"rng": as_generator("a convolutional network", rng), "dtype": dtype}
    return Sequential(
        Linear(code, height // 4 * (width // 4) * c2, **net_args),
        activation(),
        Reshape(height // 4, width // 4, c2),
        ConvTranspose2d(c2, c1, 4, stride=2, padding=1, **net_args),
        activation(),
        ConvTranspose2d(c1, depth, 4, stride=2, padding=1, **net_args),
        Flatten(),
    )


def input_width(net: Layer) -> int | None:
    """The number of input columns of a network, or None if it does not begin with a Linear or Reshape."""
    while isinstance(net, Sequential) and len(net):
        net = net[0]
    if isinstance(net, Linear):
        return net.in_features
    if isinstance(net, Reshape):
        return math.prod(net.shape)
    return None


def in_batches(f: Callable[[np.ndarray], np.ndarray], X: np.ndarray, size: int = 1000) -> np.ndarray:
    """Apply f to parts of X of at most `size` rows, so that memory does not grow with the data."""
    return np.concatenate([f(X[i : i + size]) for i in range(0, len(X), size)])
