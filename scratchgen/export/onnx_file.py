"""Write a network as an ONNX file, which onnxruntime and many other programs can run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

import scratchgen.export.onnx_networks
import scratchgen.export.onnx_rules  # noqa: F401  # registers the rules
from scratchgen.data.files import expect_replaceable, write_whole
from scratchgen.export.graph import TO_NCHW, TO_NHWC, Graph, Node
from scratchgen.export.model_parts import find_part
from scratchgen.export.part import Part, Value

OPSET = 17          # the first version with LayerNormalization
IR_VERSION = 8      # of the file format, as old as the opset allows


def to_onnx(
    model: Any,
    path: str | os.PathLike[str],
    part: str | None = None,
    *,
    shape: tuple[int, ...] | None = None,
) -> Path:
    """Write a part of a model, or a layer, as an ONNX file, and return its path.

    The file computes what the layer computes in evaluation, for any number N of examples. Its inputs are
    those of the part: `x`, (N, …) as scratchgen takes it, so images are (N, H, W, C); for a denoiser also the
    times `t` (N,); for networks that take labels also `y` (N,) in int64. Numbers have the model's dtype.

    model : a model, or a layer
    part : name of the part, such as "decoder"; None if there is only one (see `parts`)
    shape : of one example of the input, for a layer that does not begin with a Linear or Reshape

    Raises ImportError without the package onnx, NotExportable (a TypeError) for a network for which there is
    no rule, ValueError for another part, and OSError if the file cannot be written.
    """
    onnx = _onnx()
    expect_replaceable(path)
    found = find_part(model, part, shape)
    graph, outputs = build(found)
    proto = _proto(onnx, type(model).__name__, found, graph, outputs)
    onnx.checker.check_model(proto, full_check=True)
    return write_whole(path, proto.SerializeToString())


def build(part: Part) -> tuple[Graph, list[Value]]:
    """The graph of a part, and its outputs, whose names are those of the part."""
    graph = Graph(part.dtype)
    x, *others = part.inputs
    inside = x._replace(name=graph.node("Transpose", "x", perm=TO_NCHW)) if x.is_image else x
    out = graph.apply(part.net, inside, part.name, *others)
    name = graph.node("Transpose", out.name, perm=TO_NHWC) if out.is_image else out.name
    names: tuple[str, ...] = (name,)
    widths = part.widths or (out.shape[-1] // len(part.outputs),) * len(part.outputs)
    if len(widths) > 1:
        sizes = graph.constant("widths", np.array(widths, np.int64))
        names = graph.split("Split", name, sizes, outputs=len(widths), axis=len(out.shape))
    outputs = [
        Value(output, (*out.shape[:-1], width)) for output, width in zip(part.outputs, widths, strict=True)
    ]
    for inner, output in zip(names, outputs, strict=True):
        graph.nodes.append(Node("Identity", (inner,), (output.name,), {}))
    return graph, outputs


def _proto(onnx: Any, name: str, part: Part, graph: Graph, outputs: list[Value]) -> Any:
    """The graph as the message of a file."""
    make = onnx.helper
    kind = make.np_dtype_to_tensor_dtype(graph.dtype)

    def described(value: Value) -> Any:
        own = onnx.TensorProto.INT64 if value.labels else kind
        return make.make_tensor_value_info(value.name, own, ["N", *value.shape])

    return make.make_model(
        make.make_graph(
            [make.make_node(n.operator, n.inputs, n.outputs, **n.settings) for n in graph.nodes],
            f"{name}.{part.name}",
            [described(value) for value in part.inputs],
            [described(output) for output in outputs],
            [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
        ),
        opset_imports=[make.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="scratchgen",
    )


def _onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(
            'to_onnx needs the package onnx; install it with pip install "scratchgen[onnx]"'
        ) from error
    return onnx
