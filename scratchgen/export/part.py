"""A part of a model that can be exported: a network, its inputs and its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array, as_image_shape, expect_count
from scratchgen.layers import Layer, Scaling, Sequential
from scratchgen.models.networks import input_width
from scratchgen.module import Module


class NotExportable(TypeError):
    """A model, part or layer that cannot be exported; the message says why."""


class Value(NamedTuple):
    """An array in a graph: its name, and the shape of one example as in scratchgen, such as (H, W, C).

    A number per example, such as a time, has the shape ().

    labels : if above 0, the array has integers from 0 to labels − 1 (int64)
    """

    name: str
    shape: tuple[int, ...]
    labels: int = 0

    @property
    def is_image(self) -> bool:
        """Whether it is a batch of images, which the graph has as (N, C, H, W)."""
        return len(self.shape) == 3

    def __str__(self) -> str:
        """The name, the shape and the labels: "x (N, 784)", "y (N,) of integers from 0 to 9"."""
        shape = ", ".join(["N", *map(str, self.shape)]) + "," * (not self.shape)
        labels = f" of integers from 0 to {self.labels - 1}" if self.labels else ""
        return f"{self.name} ({shape}){labels}"

    def zeros(self, dtype: Any) -> Array:
        """One example of zeros."""
        return np.zeros((1, *self.shape), np.int64 if self.labels else dtype)


@dataclass(frozen=True)
class Part:
    """A network that can be exported.

    name : of the part, such as "decoder"
    net : the network, which shares the parameters of the model
    inputs : names and shapes of the inputs: x, and for some networks a time t and labels y
    outputs : names of the outputs; several names stand for parts of the last axis
    widths : of these parts; () for equal ones
    method : the method of the model that computes the same, such as "transform"
    computed : whether the weights are results of a formula, so that weights from elsewhere cannot be loaded
    """

    name: str
    net: Module
    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    widths: tuple[int, ...] = ()
    method: str = "forward"
    computed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example of x, as scratchgen takes it: (D,), (T, D) or (H, W, C)."""
        return self.inputs[0].shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the network."""
        return self.net.dtype or np.dtype(np.float32)

    def forward(self, *inputs: Array) -> Array:
        """What the exported network computes, with several outputs side by side."""
        net: Any = self.net
        out: Array = net.forward(*inputs)[0]
        return out


def make_part(
    name: str,
    net: Module,
    *outputs: str,
    shape: tuple[int, ...] | None = None,
    others: tuple[Value, ...] = (),
    widths: tuple[int, ...] = (),
    method: str = "forward",
    computed: bool = False,
) -> Part:
    """A part whose first input is x. Any layer but one with several inputs is put into a Sequential.

    shape : of one example of x; None if the first layer determines it
    others : the inputs after x
    The other arguments are those of Part.
    """
    if isinstance(net, Layer) and not others and type(net) is not Sequential:
        net = Sequential(net)
    if shape is None:
        shape = _shape_of_input(name, net)
    elif len(shape) == 3:
        shape = as_image_shape("export", shape)
    else:
        shape = tuple(expect_count("export", "shape", size) for size in shape)
    return Part(name, net, (Value("x", shape), *others), outputs, widths, method, computed)


def _shape_of_input(name: str, net: Any) -> tuple[int, ...]:
    first = net[0] if isinstance(net, Sequential) and len(net) else None
    if isinstance(first, Scaling):
        return first.log_scale.shape
    width = input_width(net) if isinstance(net, Layer) else None
    if width is None:
        raise ValueError(
            f"export of the {name} expected shape, that of one example of its input, such as (28, 28, 1), "
            f"because the first layer does not determine it: {first!r}"
        )
    return (width,)


def output_shape(layer: Any, *inputs: Value, dtype: Any) -> tuple[int, ...]:
    """The shape of one example of a layer's output, from a forward pass of one example of zeros."""
    shape: tuple[int, ...] = layer.forward(*(x.zeros(dtype) for x in inputs))[0].shape
    return shape[1:]
