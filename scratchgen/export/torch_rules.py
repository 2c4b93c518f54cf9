"""Which PyTorch module each layer is: one short function per layer returns the text of the constructor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scratchgen.export.adapters import Inverse
from scratchgen.export.graph import RuleT, expect_rows, expect_rows_or_images, find_rule
from scratchgen.export.part import Value, output_shape
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
    Layer,
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
from scratchgen.layers.coupling import Coupling
from scratchgen.layers.masks import MASKS, Checkerboard, Strided
from scratchgen.models.networks import ScaledSigmoid
from scratchgen.models.text.bodies import RecurrentBody
from scratchgen.module import Module

Shape = tuple[int, ...]
TORCH_RULES: dict[type, Callable[[Any, Shape, Any], str]] = {}


def torch_rule(*classes: type[Module]) -> Callable[[RuleT], RuleT]:
    """A decorator: the function is the rule of these classes of layers, and not of their subclasses.

    ``rule(layer, shape, dtype)`` returns the text of the constructor of a module. shape is that of one
    example of the layer's input as in scratchgen, such as (H, W, C), where the module gets (N, C, H, W).
    """

    def register(rule: RuleT) -> RuleT:
        for kind in classes:
            TORCH_RULES[kind] = rule
        return rule

    return register


def constructor(layer: Module, shape: Shape, dtype: Any, inputs: tuple[Value, ...] = ()) -> tuple[str, Shape]:
    """The text of the constructor of a layer's module, and the shape of one example of its output.

    inputs : all inputs of a network that takes several, or one of integers
    """
    text = find_rule(TORCH_RULES, layer, "torch_rule")(layer, shape, dtype)
    return text, output_shape(layer, *(inputs or (Value("x", shape),)), dtype=dtype)


@torch_rule(Sequential, RecurrentBody)
def sequential(layer: Sequential, shape: Shape, dtype: Any) -> str:
    texts = []
    for child in layer.layers:
        text, shape = constructor(child, shape, dtype)
        texts.append(text)
    return f"nn.Sequential({', '.join(texts)})"


@torch_rule(Linear, MaskedLinear)
def linear(layer: Linear, shape: Shape, dtype: Any) -> str:
    expect_rows(layer, Value("x", shape))
    name = "MaskedLinear" if isinstance(layer, MaskedLinear) else "nn.Linear"
    return f"{name}({layer.in_features}, {layer.out_features}{bias(layer)})"


@torch_rule(Conv2d, MaskedConv2d)
def conv(layer: Conv2d, shape: Shape, dtype: Any) -> str:
    name = "MaskedConv2d" if isinstance(layer, MaskedConv2d) else "nn.Conv2d"
    return f"{name}({layer.in_channels}, {layer.out_channels}, {window(layer)}{bias(layer)})"


@torch_rule(ConvTranspose2d)
def conv_transpose(layer: ConvTranspose2d, shape: Shape, dtype: Any) -> str:
    settings = f"{window(layer)}, output_padding={layer.output_padding}{bias(layer)}"
    return f"nn.ConvTranspose2d({layer.in_channels}, {layer.out_channels}, {settings})"


@torch_rule(MaxPool2d, AvgPool2d)
def pool(layer: MaxPool2d | AvgPool2d, shape: Shape, dtype: Any) -> str:
    return f"nn.{type(layer).__name__}({window(layer)})"


@torch_rule(Upsample)
def upsample(layer: Upsample, shape: Shape, dtype: Any) -> str:
    return f"nn.Upsample(scale_factor={layer.scale})"


@torch_rule(Reshape, Flatten)
def reshape(layer: Reshape, shape: Shape, dtype: Any) -> str:
    target = layer.target((1, *shape))[1:]
    if len(shape) == len(target) == 3:
        return f"nn.Sequential(FlattenImages(), ToImages{target})"
    if len(target) == 3:
        return f"ToImages{target}"
    if len(shape) == 3:
        return "FlattenImages()" if len(target) == 1 else (
            f"nn.Sequential(FlattenImages(), nn.Unflatten(1, {target}))"
        )
    return "nn.Flatten()" if len(target) == 1 else f"nn.Sequential(nn.Flatten(), nn.Unflatten(1, {target}))"


@torch_rule(BatchNorm)
def batch_norm(layer: BatchNorm, shape: Shape, dtype: Any) -> str:
    expect_rows_or_images(layer, Value("x", shape))
    name = "nn.BatchNorm2d" if len(shape) == 3 else "nn.BatchNorm1d"
    return f"{name}({layer.num_features}, eps={layer.eps}, momentum={layer.momentum})"


@torch_rule(LayerNorm)
def layer_norm(layer: LayerNorm, shape: Shape, dtype: Any) -> str:
    expect_rows(layer, Value("x", shape))
    return f"nn.LayerNorm({layer.features}, eps={layer.eps})"


@torch_rule(GroupNorm)
def group_norm(layer: GroupNorm, shape: Shape, dtype: Any) -> str:
    expect_rows_or_images(layer, Value("x", shape))
    return f"nn.GroupNorm({layer.groups}, {layer.channels}, eps={layer.eps})"


@torch_rule(SpectralNorm)
def spectral_norm(layer: SpectralNorm, shape: Shape, dtype: Any) -> str:
    text, _ = constructor(layer.layer, shape, dtype)
    return f"SpectralNorm({text}, {len(layer.u)}, {len(layer.v)})"


@torch_rule(Dropout)
def dropout(layer: Dropout, shape: Shape, dtype: Any) -> str:
    return f"nn.Dropout({layer.p})"


@torch_rule(ReLU, Sigmoid, Tanh, SiLU)
def activation(layer: Layer, shape: Shape, dtype: Any) -> str:
    return f"nn.{type(layer).__name__}()"       # PyTorch has the same names


@torch_rule(Softplus)
def softplus(layer: Softplus, shape: Shape, dtype: Any) -> str:
    return "nn.Softplus(threshold=40)"  # for larger x PyTorch returns x, which is then exact in float64 too


@torch_rule(LeakyReLU)
def leaky_relu(layer: LeakyReLU, shape: Shape, dtype: Any) -> str:
    return f"nn.LeakyReLU({layer.negative_slope})"


@torch_rule(ELU)
def elu(layer: ELU, shape: Shape, dtype: Any) -> str:
    return f"nn.ELU({layer.alpha})"


@torch_rule(GELU)
def gelu(layer: GELU, shape: Shape, dtype: Any) -> str:
    return 'nn.GELU(approximate="tanh")'


@torch_rule(ScaledSigmoid)
def scaled_sigmoid(layer: ScaledSigmoid, shape: Shape, dtype: Any) -> str:
    return f"ScaledSigmoid({layer.low}, {layer.high})"


@torch_rule(Scaling)
def scaling(layer: Scaling, shape: Shape, dtype: Any) -> str:
    *size, channels = layer.log_scale.shape
    return f"Scaling({', '.join(map(str, (channels, *size)))})"


@torch_rule(Squeeze)
def squeeze(layer: Squeeze, shape: Shape, dtype: Any) -> str:
    return "Squeeze()"


@torch_rule(AdditiveCoupling)
def additive_coupling(layer: AdditiveCoupling, shape: Shape, dtype: Any) -> str:
    return f"AdditiveCoupling({conditioner(layer, shape, dtype)}, {mask(layer)})"


@torch_rule(AffineCoupling)
def affine_coupling(layer: AffineCoupling, shape: Shape, dtype: Any) -> str:
    return f"AffineCoupling({conditioner(layer, shape, dtype)}, {mask(layer)}, {layer.bound})"


@torch_rule(Inverse)
def inverse(layer: Inverse, shape: Shape, dtype: Any) -> str:
    out = output_shape(layer, Value("x", shape), dtype=dtype)
    return f"Inverse({constructor(layer.bijection, out, dtype)[0]})"


# Parts of several rules.


def bias(layer: Any) -> str:
    """The setting of a layer without a bias."""
    return "" if layer.bias is not None else ", bias=False"


def window(layer: Any) -> str:
    """The kernel, stride and padding."""
    w = layer.window
    return f"{w.kernel}, stride={w.stride}, padding={w.padding}"


def conditioner(layer: Coupling, shape: Shape, dtype: Any) -> str:
    """The network of a coupling, of the kept entries of its input."""
    strided = MASKS[layer.mask]
    width = strided.widths(shape[-1])[0] if isinstance(strided, Strided) else shape[-1]
    return constructor(layer.conditioner, (*shape[:-1], width), dtype)[0]


def mask(layer: Coupling) -> str:
    """The mask of a coupling."""
    found = MASKS[layer.mask]
    if isinstance(found, Checkerboard):
        return f"Checkerboard({found.kept})"
    return f"Halves({found.interleaved}, {bool(found.kept)})"
