"""Recurrent layers: the order of their gates in ONNX, and the names of their weights in PyTorch.

PyTorch has the same order of gates as scratchgen, and ONNX another one. Both have two biases: one is added to
the product with the input, one to the product with the state. Their sum is the bias of scratchgen, except for
the candidate of a GRU, for which scratchgen has both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scratchgen.checks import Array
from scratchgen.layers import GRU, LSTM, RNN
from scratchgen.layers.recurrent import Recurrent
from scratchgen.module import Module

GATES: dict[type, tuple[int, ...]] = {      # of ONNX, as places among those of scratchgen
    RNN: (0,),
    LSTM: (0, 3, 1, 2),                     # i, o, f, g of i, f, g, o
    GRU: (1, 0, 2),                         # z, r, n of r, z, n
}
NAMES = {"weight": "weight_ih_l0", "recurrent_weight": "weight_hh_l0"}
BIASES = ("bias_ih_l0", "bias_hh_l0")


def onnx_weights(layer: Any) -> tuple[Array, Array, Array]:
    """W (1, G·H, D), R (1, G·H, H) and B (1, 2·G·H) of ONNX."""
    arrays = (layer.weight.value.T, layer.recurrent_weight.value.T, *biases(layer))
    w, r, first, second = (in_order(a, GATES[type(layer)]) for a in arrays)
    return w[None], r[None], np.concatenate([first, second])[None]


def in_order(array: Array, gates: tuple[int, ...]) -> Array:
    """An array (G·H, …) with its blocks of H rows in this order."""
    blocks = np.split(array, len(gates))
    return np.concatenate([blocks[gate] for gate in gates])


def biases(layer: Any) -> tuple[Array, Array]:
    """Both biases of PyTorch, (G·H,) each."""
    first = layer.bias.value.copy()
    second = np.zeros_like(first)
    if isinstance(layer, GRU):
        second[-layer.hidden :] = layer.candidate_bias.value
    return first, second


def torch_name(layer: Module, own: str) -> str:
    """The name in PyTorch of an array of a layer."""
    return NAMES.get(own, BIASES[0]) if isinstance(layer, Recurrent) else own


def renamed(net: Module, state: Mapping[str, Array]) -> dict[str, Array]:
    """A state dict with scratchgen's names, in PyTorch's layout, with the names of PyTorch."""
    found = dict(state)
    for prefix, layer in recurrent_layers(net):
        for own, theirs in NAMES.items():
            found[f"{prefix}{theirs}"] = found.pop(f"{prefix}{own}")
        for own in ("bias", "candidate_bias"):
            found.pop(f"{prefix}{own}", None)
        found |= {f"{prefix}{name}": a for name, a in zip(BIASES, biases(layer), strict=True)}
    return found


def with_own_names(net: Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `renamed`: the two biases of PyTorch are added. Unknown names stay as they are."""
    found = dict(state)
    for prefix, layer in recurrent_layers(net):
        theirs = [f"{prefix}{name}" for name in (*NAMES.values(), *BIASES)]
        if not all(name in found for name in theirs):
            continue            # the caller lists what is missing
        for own, name in NAMES.items():
            found[f"{prefix}{own}"] = found.pop(f"{prefix}{name}")
        first, second = (found.pop(f"{prefix}{name}") for name in BIASES)
        if isinstance(layer, GRU):
            gates = 2 * layer.hidden
            found[f"{prefix}candidate_bias"] = second[gates:]
            second = second + 0         # a copy
            second[gates:] = 0
        found[f"{prefix}bias"] = first + second
    return found


def recurrent_layers(net: Module, prefix: str = "") -> Iterator[tuple[str, Recurrent]]:
    """(prefix of its names, layer) of every recurrent layer in a network."""
    for name, child in net.children().items():
        if isinstance(child, Recurrent):
            yield f"{prefix}{name}.", child
        else:
            yield from recurrent_layers(child, f"{prefix}{name}.")
