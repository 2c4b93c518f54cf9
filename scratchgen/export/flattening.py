"""The order of the numbers of a flattened image, in the weights of the layers around it.

nn.Flatten of PyTorch orders them by channel, row and column, (C, H, W); scratchgen by row, column and
channel, (H, W, C). The Linear after it then has its inputs in another order. Likewise, a Linear before
nn.Unflatten has its outputs in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array
from scratchgen.export.part import NotExportable, Part, Value, output_shape
from scratchgen.layers import (
    Activation,
    BatchNorm,
    Dropout,
    LayerNorm,
    Linear,
    Reshape,
    Sequential,
    SpectralNorm,
)
from scratchgen.models.gan.heads import Branches
from scratchgen.module import Module

ORDERS = ("nhwc", "nchw")
Shape = tuple[int, ...]
PER_FEATURE = (Activation, Dropout, BatchNorm, LayerNorm)


class Axis(NamedTuple):
    """An axis of an array, in PyTorch's layout, that has one entry for each number of an image (H, W, C)."""

    axis: int
    shape: Shape

    def to_nchw(self, array: Array) -> Array:
        """The array with this axis in the order (C, H, W), of an array in the order (H, W, C)."""
        return self._reordered(array, self.shape, (2, 0, 1))

    def to_nhwc(self, array: Array) -> Array:
        """The inverse of `to_nchw`."""
        height, width, channels = self.shape
        return self._reordered(array, (channels, height, width), (1, 2, 0))

    def _reordered(self, array: Array, shape: Shape, order: tuple[int, ...]) -> Array:
        places = np.arange(array.shape[self.axis]).reshape(shape).transpose(order).ravel()
        return np.ascontiguousarray(array.take(places, axis=self.axis))


def image_axes(part: Part) -> dict[str, list[Axis]]:
    """The axes that belong to flattened images, by the name of the array in the state dict of a part.

    Raises NotExportable if another layer than a Linear uses the numbers of a flattened image in their order.
    """
    found: dict[str, list[Axis]] = {}
    if isinstance(part.net, Sequential):
        _collect(list(_leaves(part.net)), part.shape, None, part.dtype, found)
    return found


def _collect(
    leaves: list[tuple[str, Any]], shape: Shape, image: Shape | None, dtype: Any, found: dict[str, list[Axis]]
) -> None:
    """Add the axes of the arrays of these layers. image : (H, W, C) if their input is a flattened image."""
    since_linear: list[tuple[str, Any]] = []    # the layers whose outputs a Reshape would turn into images
    for prefix, layer in leaves:
        before = shape
        shape = output_shape(layer, Value("x", shape), dtype=dtype)
        if isinstance(layer, Reshape):
            if len(before) == 1 and len(shape) == 3:
                for name, own in since_linear:
                    _add(found, name, own, shape, outputs=True)
            image = before if len(before) == 3 and len(shape) == 1 else None
            since_linear = []
        elif isinstance(layer, Branches):
            for i, branch in enumerate(layer.branches):
                name = f"{prefix}branches.{i}."
                inner = list(_leaves(branch, name)) if isinstance(branch, Sequential) else [(name, branch)]
                _collect(inner, before, image, dtype, found)
            image, since_linear = None, []
        elif _linear(layer) is not None:
            if image is not None:
                _add(found, prefix, layer, image, outputs=False)
            image, since_linear = None, [(prefix, layer)]
        elif isinstance(layer, PER_FEATURE):
            if image is not None:
                _add(found, prefix, layer, image, outputs=True)
            since_linear.append((prefix, layer))
        elif image is not None:
            raise NotExportable(
                f'export with flatten="nchw" expected a Linear after a flattened image, got {layer!r}'
            )
        else:
            since_linear = []


def _add(found: dict[str, list[Axis]], prefix: str, layer: Any, image: Shape, outputs: bool) -> None:
    """Add the axes of the outputs, or of the inputs, of one layer."""
    linear = _linear(layer)
    if linear is None:                          # batch norm or layer norm: one number for each feature
        axes = dict.fromkeys((*layer.own_parameters(), *layer.buffer_names), 0)
    else:
        inner = f"{prefix}layer." if linear is not layer else prefix
        own = {name: linear.own_parameters()[name].value.ndim for name in linear.own_parameters()}
        own |= {name: getattr(linear, name).ndim for name in linear.buffer_names}
        axes = {
            f"{inner.removeprefix(prefix)}{name}": 0 if outputs else 1
            for name, ndim in own.items()
            if outputs or ndim == 2             # the bias has no inputs
        }
        if linear is not layer:                 # the singular vectors of SpectralNorm
            axes["v" if outputs else "u"] = 0
    for name, axis in axes.items():
        found.setdefault(f"{prefix}{name}", []).append(Axis(axis, image))


def _linear(layer: Any) -> Any:
    """The Linear that a layer is or contains, or None."""
    inner = layer.layer if isinstance(layer, SpectralNorm) else layer
    return inner if isinstance(inner, Linear) else None


def _leaves(net: Module, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(prefix of the names, layer) of the layers in a Sequential, and in those inside it."""
    for name, child in net.children().items():
        if isinstance(child, Sequential):
            yield from _leaves(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}.", child
