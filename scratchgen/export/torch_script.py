"""A Python script that rebuilds a network in PyTorch, with the names of the layers as they are here.

Images are (N, C, H, W) between the layers, as PyTorch has them; see graph.py. The modules of torch_modules.py
and torch_network_modules.py are copied into the script if it uses them. The rules of the layers are in
torch_rules.py and torch_networks.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

import scratchgen.export.torch_networks  # noqa: F401  # registers its rules
from scratchgen.data.files import expect_replaceable, write_whole
from scratchgen.export.adapters import WithLabel
from scratchgen.export.model_parts import find_part
from scratchgen.export.part import Part
from scratchgen.export.torch_modules import MODULES as LAYERS
from scratchgen.export.torch_network_modules import NETWORKS
from scratchgen.export.torch_rules import constructor
from scratchgen.export.torch_weights import to_torch_state_dict
from scratchgen.layers import Sequential

MODULES = LAYERS | NETWORKS

SCRIPT = '''"""The {part} of a scratchgen {model}, for PyTorch.

    network = load("{weights}")
    out = network({arguments})

Inputs: {inputs}. This file needs the packages torch and safetensors.
"""

import torch
from torch import nn
{modules}

class Network({base}):
    """{about}; the keys of state_dict() are the names of scratchgen."""

    def __init__(self):
        super().__init__(
{layers}
        ){double}
{forward}

def load(path):
    """The network in evaluation mode, with the weights of a file that scratchgen wrote."""
    from safetensors.torch import load_file

    network = Network()
    network.load_state_dict(load_file(path))
    return network.eval()
'''
IMAGES_IN = "x.permute(0, 3, 1, 2)"
IMAGES_OUT = ".permute(0, 2, 3, 1)"


def torch_script(model: Any, part: str | None = None, *, shape: tuple[int, ...] | None = None) -> str:
    """The text of a Python script that defines a part of a model, or a layer, as a PyTorch module `Network`.

    Its layers have the order and names that they have here, so ``load_state_dict`` takes the weights of
    `to_torch_state_dict`. The script contains no weights, and does not import scratchgen.

    model, part, shape : as for `to_onnx`

    Raises NotExportable and ValueError as `to_onnx` does.
    """
    found = find_part(model, part, shape)
    return _script(found, type(model).__name__, f"{found.name}.safetensors")


def to_torch(
    model: Any,
    path: str | os.PathLike[str],
    part: str | None = None,
    *,
    shape: tuple[int, ...] | None = None,
) -> tuple[Path, Path]:
    """Write the script of `torch_script` to `path`, and the weights next to it; return both paths.

    The weights are in the format safetensors, in a file with the name of the script and that suffix.

    model, part, shape : as for `to_onnx`

    Raises ValueError for a path that does not end in .py, NotExportable and ValueError as `to_onnx` does, and
    OSError if the files cannot be written.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ".py":
        raise ValueError(f"to_torch expected a path that ends in .py, got {path}")
    weights = path.with_suffix(".safetensors")
    expect_replaceable(path)
    expect_replaceable(weights)
    found = find_part(model, part, shape)
    script = _script(found, type(model).__name__, weights.name)
    write_whole(weights, save(to_torch_state_dict(model, part, shape=shape)))
    return write_whole(path, script), weights


def _script(part: Part, model: str, weights: str) -> str:
    base, lines, shape = _base(part)
    layers = "\n".join(f"            {line}," for line in lines)
    return SCRIPT.format(
        part=part.name,
        model=model,
        weights=weights,
        arguments=", ".join(value.name for value in part.inputs),
        inputs=", ".join(map(str, part.inputs)),
        modules="".join(f"\n{MODULES[name]}" for name in _used(f"{base}(\n{layers}")),
        base=base,
        about="The layers in the order of scratchgen" if base == "nn.Sequential" else "The network",
        layers=layers,
        double="\n        self.double()" if part.dtype == np.float64 else "",
        forward=_forward(part, shape),
    )


def _base(part: Part) -> tuple[str, list[str], tuple[int, ...]]:
    """The class of the network, the arguments of its constructor, and the shape of its output."""
    shape = part.shape
    if type(part.net) is not Sequential and not isinstance(part.net, WithLabel):
        text, shape = constructor(part.net, shape, part.dtype, part.inputs)
        base, _, arguments = text.removesuffix(")").partition("(")
        return base, [arguments], shape
    lines = []
    net: Any = part.net
    if isinstance(net, WithLabel):
        lines, shape, net = [str(net.classes)], (shape[0] + net.classes,), net.net
    for layer in net.layers:
        text, shape = constructor(layer, shape, part.dtype)
        lines.append(text)
    return ("WithLabel" if isinstance(part.net, WithLabel) else "nn.Sequential"), lines, shape


def _forward(part: Part, out_shape: tuple[int, ...]) -> str:
    """The method forward, if it does more than call the layers."""
    names = [value.name for value in part.inputs]
    layers = isinstance(part.net, Sequential)       # other networks take images as scratchgen does
    x = IMAGES_IN if layers and len(part.shape) == 3 else "x"
    back = IMAGES_OUT if layers and len(out_shape) == 3 else ""
    pieces = f".chunk({len(part.outputs)}, -1)" if len(part.outputs) > 1 else ""
    pieces = f".split({part.widths}, -1)" if part.widths else pieces
    if x == "x" and not back and not pieces:
        return ""
    given, passed = ", ".join(names), ", ".join([x, *names[1:]])
    text = f"\n    def forward(self, {given}):\n        return super().forward({passed}){back}{pieces}\n"
    if pieces:
        text = text.replace("return", f'"""Return {" and ".join(part.outputs)}."""\n        return')
    return text


def _used(text: str) -> list[str]:
    """The names of the modules that a text uses, directly or in other modules, in the order of MODULES."""
    found: set[str] = set()
    texts = [text]
    while texts:
        source = texts.pop()
        new = {name for name in MODULES if re.search(rf"\b(?<!\.){name}\(", source)} - found
        found |= new
        texts += [MODULES[name] for name in new]
    return [name for name in MODULES if name in found]
