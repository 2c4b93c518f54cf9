"""How the weights of each layer lie in PyTorch and ONNX, which agree: the order of their axes.

scratchgen has the output on the last axis, so that out = x·W; PyTorch has it on the first. All arrays that
are not listed here have the same layout.
"""

from __future__ import annotations

import numpy as np

from scratchgen.checks import Array
from scratchgen.layers import (
    GRU,
    LSTM,
    RNN,
    Conv2d,
    ConvTranspose2d,
    Linear,
    MaskedConv2d,
    MaskedLinear,
    Scaling,
)
from scratchgen.module import Module

CONV = (3, 2, 0, 1)         # (KH, KW, C_in, C_out) -> (C_out, C_in, KH, KW)
AXES: dict[tuple[type, str], tuple[int, ...]] = {
    (Linear, "weight"): (1, 0),                         # (D, M) -> (M, D)
    (MaskedLinear, "weight"): (1, 0),
    (MaskedLinear, "mask"): (1, 0),
    (Conv2d, "weight"): CONV,
    (MaskedConv2d, "weight"): CONV,
    (ConvTranspose2d, "weight"): (2, 3, 0, 1),          # (KH, KW, C_in, C_out) -> (C_in, C_out, KH, KW)
    (Scaling, "log_scale"): (2, 0, 1),                  # (H, W, C) -> (C, H, W); of rows, (D,) stays
    **{(kind, name): (1, 0) for kind in (RNN, LSTM, GRU) for name in ("weight", "recurrent_weight")},
}


def torch_array(layer: Module, name: str, array: Array) -> Array:
    """The array `name` of a layer in PyTorch's layout."""
    axes = _axes(layer, name, array.ndim)
    return array.copy() if axes is None else np.ascontiguousarray(array.transpose(axes))


def own_array(layer: Module, name: str, array: Array) -> Array:
    """The inverse of `torch_array`."""
    axes = _axes(layer, name, array.ndim)
    return array if axes is None else array.transpose(np.argsort(axes))


def _axes(layer: Module, name: str, ndim: int) -> tuple[int, ...] | None:
    axes = AXES.get((type(layer), name))
    return axes if axes is not None and len(axes) == ndim else None
