"""Networks as descriptions that live/shared/network.js can run: names of layers, settings and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchgen import layers as L
from scratchgen.layers.time_embedding import frequencies

# class -> its settings and arrays, by the names of the attributes
ATTRIBUTES: dict[type, tuple[str, ...]] = {
    L.Linear: ("weight", "bias"),
    L.LeakyReLU: ("negative_slope",),
    L.ELU: ("alpha",),
    L.Reshape: ("shape",),
    L.Upsample: ("scale",),
    L.Conv2d: ("weight", "bias"),
    L.ConvTranspose2d: ("weight", "bias", "output_padding"),
    L.BatchNorm: ("weight", "bias", "running_mean", "running_var", "eps"),
    L.LayerNorm: ("weight", "bias", "eps"),
    L.GroupNorm: ("weight", "bias", "groups", "eps"),
    **dict.fromkeys((L.ReLU, L.Sigmoid, L.Tanh, L.SiLU, L.GELU, L.Softplus, L.Flatten, L.Dropout), ()),
    L.MaxPool2d: (),
}


def describe(layer: Any) -> dict[str, Any]:
    """The description of a layer or a Sequential. Raises TypeError for a layer that network.js cannot run."""
    kind = type(layer)
    if isinstance(layer, L.Sequential):
        return {"layer": "Sequential", "layers": [describe(inner) for inner in layer.layers]}
    if kind not in ATTRIBUTES:
        raise TypeError(f"describe expected layers that network.js can run, got a {kind.__name__}")
    found = {name: _value(getattr(layer, name)) for name in ATTRIBUTES[kind]}
    if isinstance(layer, L.MaxPool2d):
        if layer.window.padding != (0, 0):
            raise TypeError("describe expected a MaxPool2d without padding, which network.js does not have")
        found |= {"kernel": list(layer.window.kernel), "stride": list(layer.window.stride)}
    if isinstance(layer, L.Conv2d | L.ConvTranspose2d):
        found |= {"stride": list(layer.window.stride), "padding": list(layer.window.padding)}
    return {"layer": kind.__name__, **found}


def describe_residual_net(net: L.ResidualNet) -> dict[str, Any]:
    """The description of a ResidualNet, for residualNet of network.js."""
    embedding, *time = net.condition.time.layers
    label = net.condition.label
    return {
        "condition": {
            "frequencies": frequencies(embedding.features, net.first.weight.value.dtype),
            "time": describe(L.Sequential(*time)),
            "label": None if label is None else label.weight.value,
        },
        "first": describe(net.first),
        "blocks": [
            {name: describe(getattr(block, name)) for name in ("first", "shift", "second")}
            for block in net.blocks
        ],
        "last": describe(net.last),
    }


def compact(value: Any) -> Any:
    """The same description with float16 in place of float32, where no number changes.

    The weights of pretrained models are stored in half precision, so this halves the size of a page.
    """
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        with np.errstate(over="ignore"):
            half = value.astype(np.float16)
        return half if np.array_equal(half.astype(np.float32), value) else value
    if isinstance(value, Mapping):
        return {key: compact(entry) for key, entry in value.items()}
    return [compact(entry) for entry in value] if isinstance(value, list) else value


def _value(value: Any) -> Any:
    """The array of a Parameter; other values as they are."""
    return getattr(value, "value", value)
