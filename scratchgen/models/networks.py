"""Networks that most models use: dense ones of any widths, and convolutional ones for images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.layers import (
    Activation,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    Linear,
    Reshape,
    Sequential,
    Sigmoid,
    SiLU,
    SpectralNorm,
)
from scratchgen.models.arguments import activation_class, as_dtype, count, image_shape, widths
from scratchgen.models.arguments import channels as as_channels

Rng = np.random.Generator | int
Shape = tuple[int, int, int]    # (H, W, C)
Range = tuple[float, float]


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


def dense_arguments(
    who: str,
    sizes: Sequence[int] | None,
    default: Sequence[int],
    features: int | None,
    hidden: int | Sequence[int] | None,
    code: int | None,
    *,
    last: str = "code",
    **net_args: Any,
) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Check the arguments of a constructor of dense networks.

    Callers pass either all sizes at once, or some of features, hidden and code. Sizes that are omitted are
    taken from `default`. `last` is the name of the last argument. net_args : rng, activation, dtype. Returns
    the sizes (features, *hidden, code), and the other arguments of `dense`. Raises ValueError if sizes are
    passed twice, and for fewer than two sizes.
    """
    if sizes is not None and (features, hidden, code) != (None, None, None):
        raise ValueError(f"{who} expected either sizes or features, hidden and {last}, got both")
    if sizes is not None:
        found = widths(who, "sizes", sizes)
        if len(found) < 2 or isinstance(sizes, int):
            raise ValueError(f"{who} expected sizes to be two or more widths, got {sizes!r}")
    else:
        found = (
            default[0] if features is None else count(who, "features", features),
            *(default[1:-1] if hidden is None else widths(who, "hidden", hidden)),
            default[-1] if code is None else count(who, last, code),
        )
    return found, network_arguments(who, **net_args)


def convolutional_arguments(
    who: str, code: int, channels: Sequence[int], shape: Shape, **net_args: Any
) -> tuple[int, dict[str, Any]]:
    """Check the arguments of a constructor of convolutional networks; net_args as for `dense_arguments`.

    Returns the width of the code, and the other arguments of `conv_encoder` and `conv_decoder`.
    """
    settings = {"channels": as_channels(who, channels, 2), "shape": image_shape(who, shape, least=4)}
    return count(who, "code", code), settings | network_arguments(who, **net_args)


def network_arguments(who: str, *, rng: Rng, activation: type[Activation], dtype: Any) -> dict[str, Any]:
    """Check the arguments that dense and convolutional networks share."""
    return {
        "rng": as_generator(who, rng),
        "activation": activation_class(who, activation),
        "dtype": as_dtype(who, dtype),
    }


def conv_encoder(
    outputs: int,
    channels: Sequence[int] = (16, 32),
    *,
    shape: Shape = (28, 28, 1),
    rng: Rng,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """Two 4×4 convolutions of stride 2: H·W·C → H×W×C → H/2×W/2×C1 → H/4×W/4×C2 → outputs.

    H/2 and so on are rounded down; every pixel is inside some window. H and W are at least 4.
    """
    height, width, depth = image_shape("a convolutional network", shape, least=4)
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
    channels: Sequence[int] = (16, 32),
    *,
    shape: Shape = (28, 28, 1),
    rng: Rng,
    activation: type[Activation] = SiLU,
    dtype: Any = np.float32,
) -> Sequential:
    """The reverse of the encoder, transposed: code → H/4×W/4×C2 → H/2×W/2×C1 → H×W×C → H·W·C."""
    height, width, depth = image_shape("a convolutional network", shape, least=4)
    c1, c2 = channels
    net_args: dict[str, Any] = {"rng": as_generator("a convolutional network", rng), "dtype": dtype}
    return Sequential(
        Linear(code, height // 4 * (width // 4) * c2, **net_args),
        activation(),
        Reshape(height // 4, width // 4, c2),
        doubling(c2, c1, (height // 2, width // 2), **net_args),
        activation(),
        doubling(c1, depth, (height, width), **net_args),
        Flatten(),
    )


def doubling(c_in: int, c_out: int, size: tuple[int, int], **net_args: Any) -> ConvTranspose2d:
    """The transpose of a 4×4 convolution of stride 2; its output has the given size (H, W).

    That convolution gives ⌊H/2⌋ rows both for even H and for odd H; output_padding is 1 for odd H.
    """
    odd = (size[0] % 2, size[1] % 2)
    return ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, output_padding=odd, **net_args)


class ScaledSigmoid(Layer):
    """A sigmoid whose output lies within (low, high): out = low + (high − low)·σ(x)."""

    def __init__(self, low: float, high: float):
        self.low, self.high, self.sigmoid = float(low), float(high), Sigmoid()

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        s, cache = self.sigmoid.forward(x)
        return x.dtype.type(self.low) + x.dtype.type(self.high - self.low) * s, cache

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        if not input_grad:
            return None
        return self.sigmoid.backward(dout * dout.dtype.type(self.high - self.low), cache)

    def __repr__(self) -> str:
        return f"ScaledSigmoid({self.low:g}, {self.high:g})"


def output_layers(output_range: Range | None) -> list[Layer]:
    """The last layers of a network: a sigmoid for (0, 1), a scaled one for another range, none for None."""
    if output_range is None:
        return []
    low, high = output_range
    return [Sigmoid()] if (low, high) == (0, 1) else [ScaledSigmoid(low, high)]


def input_width(net: Layer) -> int | None:
    """The number of input columns of a network, or None if its first layer does not determine it."""
    while isinstance(net, Sequential) and len(net):
        net = net[0]
    if isinstance(net, SpectralNorm):
        net = net.layer
    if isinstance(net, Reshape):
        return math.prod(net.shape)
    return getattr(net, "in_features", None)


def in_batches(f: Callable[[np.ndarray], np.ndarray], X: np.ndarray, size: int = 1000) -> np.ndarray:
    """Apply f to parts of X of at most `size` rows, so that memory does not grow with the data."""
    return np.concatenate([f(X[i : i + size]) for i in range(0, len(X), size)])
