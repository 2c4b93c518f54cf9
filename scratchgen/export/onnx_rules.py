"""Which ONNX operators each layer is. One short function per layer.

x.name is the name of the layer's input. Images are (N, C, H, W) here; see graph.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.export.adapters import Inverse
from scratchgen.export.graph import (
    TO_NCHW,
    TO_NHWC,
    Graph,
    expect_rows,
    expect_rows_or_images,
    onnx_rule,
)
from scratchgen.export.layout import torch_array
from scratchgen.export.part import NotExportable, Value
from scratchgen.layers import (
    ELU,
    GELU,
    AdditiveCoupling,
    AffineCoupling,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GroupNorm,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaskedConv2d,
    MaskedLinear,
    MaxPool2d,
    ReLU,
    Reshape,
    Scaling,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    SpectralNorm,
    Squeeze,
    Tanh,
    Upsample,
)
from scratchgen.layers.activations import GELU_A, GELU_B
from scratchgen.layers.masks import MASKS, Checkerboard
from scratchgen.models.networks import ScaledSigmoid
from scratchgen.models.text.bodies import RecurrentBody


@onnx_rule(Sequential, RecurrentBody)
def sequential(graph: Graph, layer: Sequential, x: Value) -> str:
    for i, child in enumerate(layer.layers):
        x = graph.apply(child, x, str(i))
    return x.name


@onnx_rule(Linear, MaskedLinear)
def linear(graph: Graph, layer: Linear, x: Value) -> str:
    expect_rows(layer, x)
    weight = layer.weight.value
    if isinstance(layer, MaskedLinear):
        weight = weight * layer.mask                    # the mask is fixed in the file
    if len(x.shape) == 1:
        return graph.node("Gemm", x.name, graph.constant("weight", weight), *bias(graph, layer))
    product = graph.node("MatMul", x.name, graph.constant("weight", weight))
    return graph.node("Add", product, *bias(graph, layer)) if layer.bias is not None else product


@onnx_rule(Conv2d, MaskedConv2d)
def conv(graph: Graph, layer: Conv2d, x: Value) -> str:
    value = layer.masked_weight() if isinstance(layer, MaskedConv2d) else layer.weight.value
    weight = graph.constant("weight", torch_array(layer, "weight", value))
    return graph.node("Conv", x.name, weight, *bias(graph, layer), **window(layer))


@onnx_rule(ConvTranspose2d)
def conv_transpose(graph: Graph, layer: ConvTranspose2d, x: Value) -> str:
    weight = graph.constant("weight", torch_array(layer, "weight", layer.weight.value))
    settings = {**window(layer), "output_padding": layer.output_padding}
    return graph.node("ConvTranspose", x.name, weight, *bias(graph, layer), **settings)


@onnx_rule(MaxPool2d)
def max_pool(graph: Graph, layer: MaxPool2d, x: Value) -> str:
    return graph.node("MaxPool", x.name, **window(layer))


@onnx_rule(AvgPool2d)
def avg_pool(graph: Graph, layer: AvgPool2d, x: Value) -> str:
    return graph.node("AveragePool", x.name, count_include_pad=1, **window(layer))


@onnx_rule(Upsample)
def upsample(graph: Graph, layer: Upsample, x: Value) -> str:
    scales = graph.constant("scales", np.array([1, 1, layer.scale, layer.scale], np.float32))
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.node("Resize", x.name, "", scales, **settings)


@onnx_rule(Reshape, Flatten)
def reshape(graph: Graph, layer: Reshape, x: Value) -> str:
    name = graph.node("Transpose", x.name, perm=TO_NHWC) if x.is_image else x.name
    target = layer.target((1, *x.shape))[1:]
    name = graph.node("Reshape", name, graph.constant("shape", np.array([-1, *target], np.int64)))
    return graph.node("Transpose", name, perm=TO_NCHW) if len(target) == 3 else name


@onnx_rule(BatchNorm)
def batch_norm(graph: Graph, layer: BatchNorm, x: Value) -> str:
    expect_rows_or_images(layer, x)
    arrays = {
        "weight": layer.weight.value,
        "bias": layer.bias.value,
        "running_mean": layer.running_mean,
        "running_var": layer.running_var,
    }
    names = [graph.constant(name, array) for name, array in arrays.items()]
    return graph.node("BatchNormalization", x.name, *names, epsilon=layer.eps)


@onnx_rule(LayerNorm)
def layer_norm(graph: Graph, layer: LayerNorm, x: Value) -> str:
    expect_rows(layer, x)
    names = [graph.constant("weight", layer.weight.value), *bias(graph, layer)]
    return graph.node("LayerNormalization", x.name, *names, axis=-1, epsilon=layer.eps)


@onnx_rule(GroupNorm)
def group_norm(graph: Graph, layer: GroupNorm, x: Value) -> str:
    """Instance norm of (N, G, M), where each group is one channel; then the weight and bias per channel."""
    expect_rows_or_images(layer, x)
    ones, zeros = np.ones(layer.groups), np.zeros(layer.groups)
    to_groups = graph.constant("groups", np.array([0, layer.groups, -1], np.int64))
    grouped = graph.node("Reshape", x.name, to_groups)
    xhat = graph.node(
        "InstanceNormalization", grouped, graph.constant("one", ones), graph.constant("zero", zeros),
        epsilon=layer.eps,
    )
    height_width = x.shape[:-1]
    back = graph.constant("channels", np.array([-1, layer.channels, *height_width], np.int64))
    per_channel = (layer.channels, *[1] * len(height_width))
    xhat = graph.node("Reshape", xhat, back)
    scaled = graph.node("Mul", xhat, graph.constant("weight", layer.weight.value.reshape(per_channel)))
    return graph.node("Add", scaled, graph.constant("bias", layer.bias.value.reshape(per_channel)))


@onnx_rule(SpectralNorm)
def spectral_norm(graph: Graph, layer: SpectralNorm, x: Value) -> str:
    sigma = layer.u @ layer.layer.weight.value.reshape(len(layer.u), -1) @ layer.v
    scaled = graph.node("Div", x.name, graph.constant("sigma", sigma))
    return graph.apply(layer.layer, Value(scaled, x.shape), "layer").name


@onnx_rule(Dropout)
def dropout(graph: Graph, layer: Dropout, x: Value) -> str:
    return x.name                                       # in evaluation, out is x


@onnx_rule(ReLU)
def relu(graph: Graph, layer: ReLU, x: Value) -> str:
    return graph.node("Relu", x.name)


@onnx_rule(LeakyReLU)
def leaky_relu(graph: Graph, layer: LeakyReLU, x: Value) -> str:
    return graph.node("LeakyRelu", x.name, alpha=float(layer.negative_slope))


@onnx_rule(ELU)
def elu(graph: Graph, layer: ELU, x: Value) -> str:
    return graph.node("Elu", x.name, alpha=float(layer.alpha))


@onnx_rule(Sigmoid)
def sigmoid(graph: Graph, layer: Sigmoid, x: Value) -> str:
    return graph.node("Sigmoid", x.name)


@onnx_rule(ScaledSigmoid)
def scaled_sigmoid(graph: Graph, layer: ScaledSigmoid, x: Value) -> str:
    scaled = graph.node("Mul", graph.node("Sigmoid", x.name), graph.constant("range", layer.high - layer.low))
    return graph.node("Add", scaled, graph.constant("low", layer.low))


@onnx_rule(Tanh)
def tanh(graph: Graph, layer: Tanh, x: Value) -> str:
    return graph.node("Tanh", x.name)


@onnx_rule(SiLU)
def silu(graph: Graph, layer: SiLU, x: Value) -> str:
    return graph.node("Mul", x.name, graph.node("Sigmoid", x.name))


@onnx_rule(GELU)
def gelu(graph: Graph, layer: GELU, x: Value) -> str:
    """x·σ(2u) with u = A·(x + B·x³), so 2u = x·(2A + 2AB·x²)."""
    square = graph.node("Mul", x.name, x.name)
    cubic = graph.node("Mul", square, graph.constant("cubic", 2 * GELU_A * GELU_B))
    slope = graph.node("Add", cubic, graph.constant("linear", 2 * GELU_A))
    return graph.node("Mul", x.name, graph.node("Sigmoid", graph.node("Mul", x.name, slope)))


@onnx_rule(Softplus)
def softplus(graph: Graph, layer: Softplus, x: Value) -> str:
    return graph.node("Softplus", x.name)


@onnx_rule(Scaling)
def scaling(graph: Graph, layer: Scaling, x: Value, sign: int = 1) -> str:
    scale = np.exp(sign * torch_array(layer, "log_scale", layer.log_scale.value))
    return graph.node("Mul", x.name, graph.constant("scale", scale))


@onnx_rule(Squeeze)
def squeeze(graph: Graph, layer: Squeeze, x: Value) -> str:
    return graph.node("SpaceToDepth", x.name, blocksize=2)


@onnx_rule(AdditiveCoupling)
def additive_coupling(graph: Graph, layer: AdditiveCoupling, x: Value, operator: str = "Add") -> str:
    kept, moved = split(graph, layer.mask, x)
    shift = graph.apply(layer.conditioner, kept, "conditioner")
    return merge(graph, layer.mask, x, kept.name, graph.node(operator, moved.name, shift.name))


@onnx_rule(AffineCoupling)
def affine_coupling(graph: Graph, layer: AffineCoupling, x: Value, back: bool = False) -> str:
    kept, moved = split(graph, layer.mask, x)
    h = graph.apply(layer.conditioner, kept, "conditioner")
    shift, raw = graph.split("Split", h.name, outputs=2, axis=1)
    bound = graph.constant("bound", layer.bound)
    log_scale = graph.node("Mul", bound, graph.node("Tanh", graph.node("Div", raw, bound)))
    if back:
        scale = graph.node("Exp", graph.node("Neg", log_scale))
        out = graph.node("Mul", graph.node("Sub", moved.name, shift), scale)
    else:
        out = graph.node("Add", graph.node("Mul", moved.name, graph.node("Exp", log_scale)), shift)
    return merge(graph, layer.mask, x, kept.name, out)


@onnx_rule(Inverse)
def inverse(graph: Graph, layer: Inverse, x: Value) -> str:
    inner: Any = layer.bijection
    if type(inner) is Scaling:
        return scaling(graph, inner, x, sign=-1)
    if type(inner) is Squeeze:
        return graph.node("DepthToSpace", x.name, blocksize=2, mode="DCR")
    if type(inner) is AdditiveCoupling:
        return additive_coupling(graph, inner, x, operator="Sub")
    if type(inner) is AffineCoupling:
        return affine_coupling(graph, inner, x, back=True)
    raise NotExportable(f"export cannot write the inverse of a {type(inner).__name__}: it has no rule")


# Parts of several rules.


def bias(graph: Graph, layer: Any) -> tuple[str, ...]:
    """The bias as a further input, if there is one."""
    return () if layer.bias is None else (graph.constant("bias", layer.bias.value),)


def window(layer: Any) -> dict[str, Any]:
    """The kernel, stride and padding of a layer; ONNX lists the padding before and after both axes."""
    w = layer.window
    return {"kernel_shape": w.kernel, "strides": w.stride, "pads": (*w.padding, *w.padding)}


def split(graph: Graph, mask: str, x: Value) -> tuple[Value, Value]:
    """The kept and the moved entries of a coupling. The features and the channels are on axis 1."""
    if isinstance(MASKS[mask], Checkerboard):
        kept, moved = colours(mask, x)
        return tuple(                                   # type: ignore[return-value]  # two of them
            Value(graph.node("Mul", x.name, graph.constant(name, colour)), x.shape)
            for name, colour in (("kept", kept), ("moved", moved))
        )
    halves = []
    for name, index in zip(("kept", "moved"), indices(mask, x), strict=True):
        part = graph.node("Gather", x.name, graph.constant(name, index), axis=1)
        halves.append(Value(part, (*x.shape[:-1], len(index))))
    return halves[0], halves[1]


def merge(graph: Graph, mask: str, x: Value, kept: str, moved: str) -> str:
    """The array of which `split` gives these two parts."""
    if isinstance(MASKS[mask], Checkerboard):
        _, moving = colours(mask, x)
        return graph.node("Add", kept, graph.node("Mul", moved, graph.constant("moved", moving)))
    order = np.argsort(np.concatenate(indices(mask, x)))
    joined = graph.node("Concat", kept, moved, axis=1)
    return graph.node("Gather", joined, graph.constant("order", order), axis=1)


def indices(mask: str, x: Value) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the kept and the moved features, in int64."""
    kept, moved = MASKS[mask].split("export", np.arange(x.shape[-1])[None])
    return kept[0], moved[0]


def colours(mask: str, x: Value) -> tuple[np.ndarray, np.ndarray]:
    """1 at the kept pixels, and 1 at the moved ones: (1, 1, H, W) each."""
    height, width, _ = x.shape
    kept, moved = MASKS[mask].split("export", np.ones((1, height, width, 1)))
    return kept.transpose(TO_NCHW), moved.transpose(TO_NCHW)
