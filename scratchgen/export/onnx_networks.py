"""Which ONNX operators the networks with several inputs, attention and the heads of models are.

Images are (N, C, H, W) here; see graph.py. The equations are those of the layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.export.adapters import (
    CharacterLogits,
    GaussianScores,
    Inverse,
    MaskedWithLabel,
    Shift,
    WithLabel,
)
from scratchgen.export.graph import TO_NCHW, TO_NHWC, Graph, expect_rows, onnx_rule
from scratchgen.export.part import Value
from scratchgen.export.recurrent import onnx_weights
from scratchgen.layers import (
    GRU,
    LSTM,
    RNN,
    CausalSelfAttention,
    Embedding,
    PixelAttention,
    ResidualBlock,
    ResidualNet,
    SelfAttention,
    TimeEmbedding,
    TransformerBlock,
    UNet,
)
from scratchgen.layers.recurrent import Recurrent
from scratchgen.layers.rotary import rotary
from scratchgen.layers.time_embedding import frequencies
from scratchgen.layers.time_network import Condition
from scratchgen.models.autoregressive.pixelcnn import PixelStacks
from scratchgen.models.gan.heads import Branches, LabelMaps, Projection


@onnx_rule(Embedding)
def embedding(graph: Graph, layer: Embedding, x: Value) -> str:
    return graph.node("Gather", graph.constant("weight", layer.weight.value), x.name, axis=0)   # (EMB.1)


@onnx_rule(TimeEmbedding)
def time_embedding(graph: Graph, layer: TimeEmbedding, t: Value) -> str:
    column = graph.node("Unsqueeze", t.name, integers(graph, "axis", 1))
    rates = graph.constant("frequencies", frequencies(layer.features, graph.dtype))
    angles = graph.node("Mul", column, rates)
    return graph.node("Concat", graph.node("Sin", angles), graph.node("Cos", angles), axis=1)   # (TIME.2)


@onnx_rule(Condition)
def condition(graph: Graph, net: Condition, t: Value, *labels: Value) -> str:
    r = graph.apply(net.time, t, "time")
    for y in labels:
        row = graph.apply(net.label, y, "label") if net.label is not None else y
        r = r._replace(name=graph.node("Add", r.name, row.name))
    return graph.apply(net.activation, r, "activation").name                # (COND.1)


@onnx_rule(ResidualBlock)
def residual_block(graph: Graph, block: ResidualBlock, x: Value, e: Value) -> str:
    a = graph.apply(block.first, x, "first")                                # (RES.1)
    shift = graph.apply(block.shift, e, "shift").name
    if x.is_image:
        shift = graph.node("Unsqueeze", shift, integers(graph, "axes", 2, 3))
    h = a._replace(name=graph.node("Add", a.name, shift))                   # (RES.2)
    out = graph.apply(block.second, h, "second")
    skip = x if block.skip is None else graph.apply(block.skip, x, "skip")
    return graph.node("Add", skip.name, out.name)                           # (RES.3)


@onnx_rule(ResidualNet)
def residual_net(graph: Graph, net: ResidualNet, x: Value, t: Value, *labels: Value) -> str:
    e = graph.apply(net.condition, t, "condition", *labels)
    h = graph.apply(net.first, x, "first")
    for i, block in enumerate(net.blocks):                                  # (RESNET.1)
        h = graph.apply(block, h, f"blocks.{i}", e)
    return graph.apply(net.last, h, "last").name


@onnx_rule(UNet)
def u_net(graph: Graph, net: UNet, x: Value, t: Value, *labels: Value) -> str:
    """The input and the output are images, or rows of H·W·C numbers."""
    images = Value(x.name if x.is_image else to_images(graph, x.name, net.shape), net.shape)
    h = images if net.squeeze is None else graph.apply(net.squeeze, images, "squeeze")
    e = graph.apply(net.condition, t, "condition", *labels)
    h, kept = graph.apply(net.first, h, "first"), []
    for i, block in enumerate(net.down):                                    # (UNET.1)
        kept.append(graph.apply(block, h, f"down.{i}", e))
        h = graph.apply(net.pool, kept[-1], "pool")
    h = graph.apply(net.middle[0], h, "middle.0", e)                        # (UNET.2)
    if net.attention is not None:
        h = graph.apply(net.attention, h, "attention")
    h = graph.apply(net.middle[1], h, "middle.1", e)
    for i in reversed(range(len(net.up))):                                  # (UNET.3)
        u, s = graph.apply(net.upsample, h, "upsample"), kept[i]
        joined = graph.node("Concat", u.name, s.name, axis=1)
        shape = (*s.shape[:2], u.shape[2] + s.shape[2])
        h = graph.apply(net.up[i], Value(joined, shape), f"up.{i}", e)
    out = graph.apply(net.last, h, "last")                                  # (UNET.4)
    if net.squeeze is not None:
        out = graph.apply(Inverse(net.squeeze), out, "squeeze")
    return out.name if x.is_image else to_rows(graph, out.name, x.shape[0])


@onnx_rule(SelfAttention, CausalSelfAttention)
def self_attention(graph: Graph, layer: SelfAttention, x: Value) -> str:
    length, width = x.shape
    heads, features = layer.heads, width // layer.heads
    qkv = graph.apply(layer.qkv, x, "qkv").name                             # (ATT.1)  (N, T, 3C)
    qkv = graph.node("Reshape", qkv, integers(graph, "split", -1, length, 3, heads, features))
    qkv = graph.node("Transpose", qkv, perm=(2, 0, 3, 1, 4))                # (3, N, H, T, D)
    q, k, v = (
        graph.node("Gather", qkv, graph.constant(name, np.array(i)), axis=0) for i, name in enumerate("qkv")
    )
    if layer.rotary:
        q, k = (rotated(graph, a, length, features) for a in (q, k))
    scores = graph.node("MatMul", q, graph.node("Transpose", k, perm=(0, 1, 3, 2)))     # (ATT.2)
    scores = graph.node("Mul", scores, graph.constant("scale", features**-0.5))         # (ATT.3)
    if layer.causal:
        mask = np.where(np.tril(np.ones((length, length), bool)), 0.0, -np.inf)
        scores = graph.node("Add", scores, graph.constant("mask", mask))    # (ATT.4)
    p = graph.node("Softmax", scores, axis=-1)                              # (ATT.5)
    y = graph.node("Transpose", graph.node("MatMul", p, v), perm=(0, 2, 1, 3))          # (ATT.6)
    y = graph.node("Reshape", y, integers(graph, "join", -1, length, width))
    return graph.apply(layer.proj, Value(y, x.shape), "proj").name          # (ATT.7)


@onnx_rule(PixelAttention)
def pixel_attention(graph: Graph, layer: PixelAttention, x: Value) -> str:
    height, width, channels = x.shape
    h = graph.apply(layer.norm, x, "norm").name
    h = graph.node("Reshape", h, integers(graph, "pixels", -1, channels, height * width))
    h = graph.node("Transpose", h, perm=(0, 2, 1))                          # (N, H·W, C)
    a = graph.apply(layer.attention, Value(h, (height * width, channels)), "attention").name
    a = graph.node("Transpose", a, perm=(0, 2, 1))
    a = graph.node("Reshape", a, integers(graph, "image", -1, channels, height, width))
    return graph.node("Add", x.name, a)                                     # (PATT.1)


@onnx_rule(TransformerBlock)
def transformer_block(graph: Graph, block: TransformerBlock, x: Value) -> str:
    a = graph.apply(block.attention, graph.apply(block.norm1, x, "norm1"), "attention")
    h = x._replace(name=graph.node("Add", x.name, a.name))                  # (TFB.1)
    f = graph.apply(block.mlp, graph.apply(block.norm2, h, "norm2"), "mlp")
    return graph.node("Add", h.name, f.name)                                # (TFB.2)


@onnx_rule(RNN, LSTM, GRU)
def recurrent(graph: Graph, layer: Recurrent, x: Value) -> str:
    """All sequences start with a state of zeros and have T steps."""
    weights = zip("WRB", onnx_weights(layer), strict=True)
    settings: dict[str, Any] = {"hidden_size": layer.hidden}
    if isinstance(layer, GRU):
        settings["linear_before_reset"] = 1                                 # (GRU.2)
    steps = graph.node("Transpose", x.name, perm=(1, 0, 2))                 # (T, N, D)
    names = [graph.constant(name, array) for name, array in weights]
    out = graph.node(type(layer).__name__, steps, *names, **settings)       # (T, 1, N, H)
    out = graph.node("Squeeze", out, integers(graph, "axis", 1))
    return graph.node("Transpose", out, perm=(1, 0, 2))


@onnx_rule(PixelStacks)
def pixel_stacks(graph: Graph, net: PixelStacks, x: Value) -> str:
    v = graph.apply(net.vertical[0], x, "vertical.0")                       # (PIX.2)
    rv = graph.apply(net.relu, v, "relu")
    left, above = graph.apply(net.horizontal[0], x, "horizontal.0"), graph.apply(net.link[0], rv, "link.0")
    h = left._replace(name=graph.node("Add", left.name, above.name))        # (PIX.3)
    for i in range(1, len(net.vertical)):
        step = graph.apply(net.vertical[i], rv, f"vertical.{i}")
        v = v._replace(name=graph.node("Add", v.name, step.name))
        rv, rh = graph.apply(net.relu, v, "relu"), graph.apply(net.relu, h, "relu")
        left = graph.apply(net.horizontal[i], rh, f"horizontal.{i}")
        above = graph.apply(net.link[i], rv, f"link.{i}")
        h = h._replace(name=graph.node("Add", h.name, graph.node("Add", left.name, above.name)))
    return graph.apply(net.out, graph.apply(net.relu, h, "relu"), "out").name           # (PIX.4)


@onnx_rule(LabelMaps)
def label_maps(graph: Graph, layer: LabelMaps, x: Value) -> str:
    pixels, label = columns(graph, x, layer.pixels, layer.classes)
    height, width, _ = layer.shape
    label_map = graph.node(
        "Expand",
        graph.node("Unsqueeze", label.name, integers(graph, "axes", 2, 3)),
        integers(graph, "size", 1, layer.classes, height, width),
    )
    return graph.node("Concat", to_images(graph, pixels.name, layer.shape), label_map, axis=1)  # (LABEL.1)


@onnx_rule(Projection)
def projection(graph: Graph, layer: Projection, x: Value) -> str:
    data, label = columns(graph, x, layer.features, layer.classes)
    h, e = graph.apply(layer.body, data, "body"), graph.apply(layer.embedding, label, "embedding")
    psi = graph.apply(layer.head, h, "head")
    product = graph.node("Mul", e.name, h.name)
    inner = graph.node("ReduceSum", product, integers(graph, "axis", 1), keepdims=1)
    return graph.node("Add", psi.name, inner)                               # (PROJ.1)


@onnx_rule(Branches)
def branches(graph: Graph, layer: Branches, x: Value) -> str:
    outs = [graph.apply(branch, x, f"branches.{i}").name for i, branch in enumerate(layer.branches)]
    return graph.node("Concat", *outs, axis=1)                              # (BRANCH.1)


@onnx_rule(WithLabel)
def with_label(graph: Graph, net: WithLabel, x: Value, y: Value) -> str:
    onehot = graph.node("Gather", graph.constant("onehot", np.eye(net.classes)), y.name, axis=0)
    joined = Value(graph.node("Concat", x.name, onehot, axis=1), (x.shape[0] + net.classes,))
    return graph.apply(net.net, joined, "net").name


@onnx_rule(MaskedWithLabel)
def masked_with_label(graph: Graph, net: MaskedWithLabel, x: Value, y: Value) -> str:
    h = x
    for i, (layer, label) in enumerate(zip(net.layers, net.labels, strict=True)):
        h = graph.apply(net.relu, h, "relu") if i else h
        a, row = graph.apply(layer, h, f"layers.{i}"), graph.apply(label, y, f"labels.{i}")
        h = a._replace(name=graph.node("Add", a.name, row.name))            # (MADE.4)
    return h.name


@onnx_rule(CharacterLogits)
def character_logits(graph: Graph, net: CharacterLogits, x: Value) -> str:
    first, last = (integers(graph, name, n) for name, n in (("first", 0), ("last", -1)))
    axis = integers(graph, "axis", 1)
    before = graph.node("Slice", x.name, first, last, axis)                 # (N, T − 1)
    one = graph.node("Slice", x.name, first, axis, axis)                    # (N, 1)
    zero = graph.node("Mul", one, first)
    start = graph.node("Add", zero, integers(graph, "start", net.start))
    inputs = x._replace(name=graph.node("Concat", start, before, axis=1))   # (CHR.1)
    h = graph.apply(net.characters, inputs, "characters")
    if net.positions is not None:                                           # (CHR.2)
        places = graph.constant("positions", net.positions.weight.value)
        h = h._replace(name=graph.node("Add", h.name, places))
    h = graph.apply(net.norm, graph.apply(net.blocks, h, "blocks"), "norm")
    return graph.apply(net.head, h, "head").name                            # (CHR.3)


@onnx_rule(Shift)
def shift(graph: Graph, layer: Shift, x: Value) -> str:
    return graph.node("Add", x.name, graph.constant("shift", layer.shift.value))


@onnx_rule(GaussianScores)
def gaussian_scores(graph: Graph, layer: GaussianScores, x: Value) -> str:
    expect_rows(layer, x)
    row = graph.node("Unsqueeze", x.name, integers(graph, "axis", 1))       # (N, 1, D)
    mean = graph.constant("mean", layer.mean.value)                         # (C, D)
    centred = graph.node("Transpose", graph.node("Sub", row, mean), perm=(1, 0, 2))
    white = graph.node("MatMul", centred, graph.constant("whiten", layer.whiten.value))
    product = graph.node("Mul", white, white)
    squares = graph.node("ReduceSum", product, integers(graph, "features", 2), keepdims=0)
    half = graph.node("Mul", graph.constant("half", 0.5), graph.node("Transpose", squares, perm=(1, 0)))
    return graph.node("Sub", graph.constant("offset", layer.offset.value), half)


# Parts of several rules.


def integers(graph: Graph, name: str, *values: int) -> str:
    """A constant of integers, such as axes or a shape."""
    return graph.constant(name, np.array(values, np.int64))


def columns(graph: Graph, x: Value, first: int, second: int) -> tuple[Value, Value]:
    """Rows (N, first + second) as two arrays."""
    sizes = integers(graph, "widths", first, second)
    a, b = graph.split("Split", x.name, sizes, outputs=2, axis=1)
    return Value(a, (first,)), Value(b, (second,))


def to_images(graph: Graph, name: str, shape: tuple[int, ...]) -> str:
    """Rows (N, H·W·C) as images (N, C, H, W)."""
    images = graph.node("Reshape", name, integers(graph, "image", -1, *shape))
    return graph.node("Transpose", images, perm=TO_NCHW)


def to_rows(graph: Graph, name: str, width: int) -> str:
    """Images (N, C, H, W) as rows (N, H·W·C)."""
    images = graph.node("Transpose", name, perm=TO_NHWC)
    return graph.node("Reshape", images, integers(graph, "row", -1, width))


def rotated(graph: Graph, a: str, length: int, features: int) -> str:
    """a (N, H, T, D) rotated by the positions: a·[cos, cos] + [a₂, a₁]·[−sin, sin], as in (ROPE.2)."""
    half = features // 2
    cos, sin = np.split(rotary(np.tile(np.repeat([1.0, 0.0], half), (length, 1))), 2, axis=1)
    swapped = graph.node("Gather", a, integers(graph, "swap", *range(half, features), *range(half)), axis=3)
    first = graph.node("Mul", a, graph.constant("cos", np.concatenate([cos, cos], axis=1)))
    second = graph.node("Mul", swapped, graph.constant("sin", np.concatenate([-sin, sin], axis=1)))
    return graph.node("Add", first, second)
