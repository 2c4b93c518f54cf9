"""Trained networks in other tools: as an ONNX file, or as weights and a script for PyTorch.

    from scratchgen import export
    export.to_onnx(vae, "decoder.onnx", part="decoder")
    state = export.to_torch_state_dict(vae, part="decoder")

A part is a network of a model that maps arrays to arrays: the encoder and the decoder of a VAE, for example.
`parts` lists them. An ONNX file needs the package onnx, which is optional:
``pip install "scratchgen[onnx]"``. Nothing here needs torch: a state dict is a dict of NumPy arrays.
"""

from scratchgen.export.graph import Graph, onnx_rule
from scratchgen.export.model_parts import find_part, parts, refusals
from scratchgen.export.onnx_file import to_onnx
from scratchgen.export.part import NotExportable, Part, Value
from scratchgen.export.torch_rules import torch_rule
from scratchgen.export.torch_script import to_torch, torch_script
from scratchgen.export.torch_weights import from_torch_state_dict, to_torch_state_dict

__all__ = [
    "Graph",
    "NotExportable",
    "Part",
    "Value",
    "find_part",
    "from_torch_state_dict",
    "onnx_rule",
    "parts",
    "refusals",
    "to_onnx",
    "to_torch",
    "to_torch_state_dict",
    "torch_rule",
    "torch_script",
]
