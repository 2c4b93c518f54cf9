"""Weights to and from PyTorch, as a state dict: a dict of NumPy arrays with PyTorch's names and layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array, describe
from scratchgen.export.flattening import ORDERS, Axis, image_axes
from scratchgen.export.layout import own_array, torch_array
from scratchgen.export.model_parts import find_part
from scratchgen.export.part import NotExportable, Part
from scratchgen.export.recurrent import renamed, torch_name, with_own_names
from scratchgen.models.arguments import choice
from scratchgen.module import Module

COUNTER = "num_batches_tracked"     # of PyTorch's batch norm, which scratchgen does not count


class Entry(NamedTuple):
    """One array of a state dict."""

    name: str           # dotted, as in the network: "0.weight"
    layer: Module       # that it belongs to
    own: str            # its name in the layer: "weight"
    array: Array        # in scratchgen's layout; for a parameter its value


def to_torch_state_dict(
    model: Any, part: str | None = None, *, shape: tuple[int, ...] | None = None, flatten: str = "nhwc"
) -> dict[str, Array]:
    """The weights of a part of a model, or of a layer, as PyTorch names and lays them out.

    The names are those of the module that `torch_script` writes: "0.weight", "1.running_mean". The arrays are
    copies. ``{k: torch.from_numpy(a) for k, a in state.items()}`` makes them tensors.

    model, part, shape : as for `to_onnx`
    flatten : the order of the numbers of a flattened image in the PyTorch network: "nhwc", as in scratchgen
        and in the scripts of `torch_script`, or "nchw", as nn.Flatten and nn.Unflatten have it. It changes
        the weights of the layers between a flattened image and the next Linear, and of those from the last
        Linear to an image

    Raises NotExportable and ValueError as `to_onnx` does.
    """
    found = find_part(model, part, shape)
    axes = _axes("to_torch_state_dict", found, flatten)
    state: dict[str, Array] = {}
    for entry in entries(found.net):
        array = torch_array(entry.layer, entry.own, entry.array)
        for axis in axes.get(entry.name, ()):
            array = axis.to_nchw(array)
        state[entry.name] = array
        if entry.own == "running_var":
            state[entry.name.replace(entry.own, COUNTER)] = np.array(0)
    return renamed(found.net, state)


def from_torch_state_dict(
    model: Any,
    state: Mapping[str, Any],
    part: str | None = None,
    *,
    shape: tuple[int, ...] | None = None,
    flatten: str = "nhwc",
) -> None:
    """Set the weights of a part of a model, or of a layer, from a state dict of the same architecture.

    Nothing is changed unless all names, shapes and dtypes fit.

    state : arrays or torch tensors by name, with the names and layouts of `to_torch_state_dict`
    model, part, shape : as for `to_onnx`
    flatten : as for `to_torch_state_dict`; "nchw" for a network with nn.Flatten or nn.Unflatten

    Raises ValueError for names that are missing or unknown, and for other shapes or masks; TypeError for
    other dtypes; NotExportable for a model whose weights are computed from data, such as PCA.
    """
    who = "from_torch_state_dict"
    if not isinstance(state, Mapping):
        raise TypeError(f"{who} expected a dict of arrays or tensors, got {describe(state)}")
    found = find_part(model, part, shape)
    if found.computed:
        raise NotExportable(
            f"{who} cannot set the weights of a {type(model).__name__}, which `fit` computes from data"
        )
    axes = _axes(who, found, flatten)
    wanted = {entry.name: entry for entry in entries(found.net)}
    known = renamed(found.net, {name: entry.array for name, entry in wanted.items()})
    given = {name: value for name, value in state.items() if not str(name).endswith(f".{COUNTER}")}
    for problem, names in (("also", known.keys() - given.keys()), ("no", given.keys() - known.keys())):
        if names:
            raise ValueError(f"{who} expected {problem} {', '.join(sorted(map(str, names)))}, "
                             f"got {', '.join(map(str, given)) or 'no arrays'}")
    given = with_own_names(found.net, {name: _as_array(who, name, value) for name, value in given.items()})
    arrays = {name: _checked(who, entry, given[name], axes.get(name, [])) for name, entry in wanted.items()}
    for name, entry in wanted.items():
        entry.array[...] = arrays[name]


def entries(net: Module, prefix: str = "") -> Iterator[Entry]:
    """The arrays of a network and the layers in it: parameters, then buffers, in the order of the layers."""
    for name, parameter in net.own_parameters().items():
        yield Entry(f"{prefix}{name}", net, name, parameter.value)
    for name in net.buffer_names:
        yield Entry(f"{prefix}{name}", net, name, getattr(net, name))
    for name, child in net.children().items():
        yield from entries(child, f"{prefix}{name}.")


def _axes(who: str, part: Part, flatten: str) -> dict[str, list[Axis]]:
    """The axes that differ from scratchgen, by name of the array."""
    choice(who, "flatten", flatten, ORDERS)
    return image_axes(part) if flatten == "nchw" else {}


def _as_array(who: str, name: str, value: Any) -> Array:
    """An array or a tensor of PyTorch as an array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{who} expected {name} to be an array or a tensor, got {describe(value)}")
    return value


def _checked(who: str, entry: Entry, value: Array, axes: list[Axis]) -> Array:
    """An array in scratchgen's layout."""
    wanted = torch_array(entry.layer, entry.own, entry.array)
    name = entry.name.removesuffix(entry.own) + torch_name(entry.layer, entry.own)
    if value.shape != wanted.shape:
        raise ValueError(f"{who} expected {name} of shape {wanted.shape}, got {value.shape}")
    if value.dtype != wanted.dtype:
        raise TypeError(f"{who} expected {name} of dtype {wanted.dtype}, got {value.dtype}; convert it")
    for axis in axes:
        value = axis.to_nhwc(value)
    if entry.own == "mask" and not np.array_equal(value, wanted):
        raise ValueError(f"{who} expected the mask {entry.name} of this model, got another one")
    return own_array(entry.layer, entry.own, value)
