"""Weights to and from PyTorch, as a state dict: a dict of NumPy arrays with PyTorch's names and layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array, describe
from scratchgen.export.layout import own_array, torch_array
from scratchgen.export.model_parts import find_part
from scratchgen.module import Module

COUNTER = "num_batches_tracked"     # of PyTorch's batch norm, which scratchgen does not count


class Entry(NamedTuple):
    """One array of a state dict."""

    name: str           # dotted, as in the network: "0.weight"
    layer: Module       # that it belongs to
    own: str            # its name in the layer: "weight"
    array: Array        # in scratchgen's layout; for a parameter its value


def to_torch_state_dict(
    model: Any, part: str | None = None, *, shape: tuple[int, ...] | None = None
) -> dict[str, Array]:
    """The weights of a part of a model, or of a layer, as PyTorch names and lays them out.

    The names are those of the module that `torch_script` writes: "0.weight", "1.running_mean". The arrays are
    copies. ``{k: torch.from_numpy(a) for k, a in state.items()}`` makes them tensors.

    model, part, shape : as for `to_onnx`

    Raises NotExportable and ValueError as `to_onnx` does.
    """
    state: dict[str, Array] = {}
    for entry in entries(find_part(model, part, shape).net):
        state[entry.name] = torch_array(entry.layer, entry.own, entry.array)
        if entry.own == "running_var":
            state[entry.name.replace(entry.own, COUNTER)] = np.array(0)
    return state


def from_torch_state_dict(
    model: Any,
    state: Mapping[str, Any],
    part: str | None = None,
    *,
    shape: tuple[int, ...] | None = None,
) -> None:
    """Set the weights of a part of a model, or of a layer, from a state dict of the same architecture.

    Nothing is changed unless all names, shapes and dtypes fit.

    state : arrays or torch tensors by name, with the names and layouts of `to_torch_state_dict`. A PyTorch
        network that flattens images (N, C, H, W) has another order of the columns of the next Linear than
        scratchgen, which flattens (N, H, W, C); the module that `torch_script` writes has the same order
    model, part, shape : as for `to_onnx`

    Raises ValueError for names that are missing or unknown, and for other shapes or masks; TypeError for
    other dtypes.
    """
    who = "from_torch_state_dict"
    if not isinstance(state, Mapping):
        raise TypeError(f"{who} expected a dict of arrays or tensors, got {describe(state)}")
    wanted = {entry.name: entry for entry in entries(find_part(model, part, shape).net)}
    given = {name: value for name, value in state.items() if not str(name).endswith(f".{COUNTER}")}
    for problem, names in (("also", wanted.keys() - given.keys()), ("no", given.keys() - wanted.keys())):
        if names:
            raise ValueError(f"{who} expected {problem} {', '.join(sorted(map(str, names)))}, "
                             f"got {', '.join(map(str, given)) or 'no arrays'}")
    arrays = {name: _checked(who, entry, given[name]) for name, entry in wanted.items()}
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


def _checked(who: str, entry: Entry, value: Any) -> Array:
    """An array or tensor as an array in scratchgen's layout."""
    if hasattr(value, "detach"):        # a tensor of PyTorch
        value = value.detach().cpu().numpy()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{who} expected {entry.name} to be an array or a tensor, got {describe(value)}")
    wanted = torch_array(entry.layer, entry.own, entry.array)
    if value.shape != wanted.shape:
        raise ValueError(f"{who} expected {entry.name} of shape {wanted.shape}, got {value.shape}")
    if value.dtype != wanted.dtype:
        raise TypeError(f"{who} expected {entry.name} of dtype {wanted.dtype}, got {value.dtype}; convert it")
    if entry.own == "mask" and not np.array_equal(value, wanted):
        raise ValueError(f"{who} expected the mask {entry.name} of this model, got another one")
    return own_array(entry.layer, entry.own, value)
