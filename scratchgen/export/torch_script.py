"""A Python script that rebuilds a network in PyTorch, with the names of the layers as they are here.

Images are (N, C, H, W) between the layers, as PyTorch has them; see graph.py. The modules of torch_modules.py
are copied into the script if it uses them. The rules of the layers are in torch_rules.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data.files import expect_replaceable, write_whole
from scratchgen.export.model_parts import Part, find_part
from scratchgen.export.torch_modules import MODULES
from scratchgen.export.torch_rules import constructor
from scratchgen.export.torch_weights import to_torch_state_dict

SCRIPT = '''"""The {part} of a scratchgen {model}, for PyTorch.

    network = load("{weights}")
    out = network(x)

x is (N, {inputs}). This file needs the packages torch and safetensors.
"""

import torch
from torch import nn
{modules}

class Network(nn.Sequential):
    """The layers in the order of scratchgen; the keys of state_dict() are the names of scratchgen."""

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
    dtype = part.net.dtype or np.dtype(np.float32)
    lines, shape = [], part.shape
    for layer in part.net.layers:
        text, shape = constructor(layer, shape, dtype)
        lines.append(f"            {text},")
    layers = "\n".join(lines)
    return SCRIPT.format(
        part=part.name,
        model=model,
        weights=weights,
        inputs=", ".join(map(str, part.shape)),
        modules="".join(f"\n{MODULES[name]}" for name in _used(layers)),
        layers=layers,
        double="\n        self.double()" if dtype == np.float64 else "",
        forward=_forward(part, shape),
    )


def _forward(part: Part, out_shape: tuple[int, ...]) -> str:
    """The method forward, if it does more than call the layers."""
    x = IMAGES_IN if len(part.shape) == 3 else "x"
    back = IMAGES_OUT if len(out_shape) == 3 else ""
    halves = ".chunk(2, -1)" if len(part.outputs) == 2 else ""
    if x == "x" and not back and not halves:
        return ""
    text = f"\n    def forward(self, x):\n        return super().forward({x}){back}{halves}\n"
    if halves:
        text = text.replace("return", f'"""Return {" and ".join(part.outputs)}."""\n        return')
    return text


def _used(text: str) -> list[str]:
    """The names of the modules that a text uses, in the order of MODULES."""
    return [name for name in MODULES if re.search(rf"\b(?<!\.){name}\(", text)]
