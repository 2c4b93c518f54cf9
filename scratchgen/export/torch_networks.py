"""Which PyTorch module the networks with several inputs, attention and the heads of models are."""

from __future__ import annotations

from typing import Any

from scratchgen.export.adapters import CharacterLogits, GaussianScores, MaskedWithLabel, Shift, WithLabel
from scratchgen.export.torch_rules import Shape, constructor, torch_rule
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
from scratchgen.layers.time_network import Condition
from scratchgen.models.autoregressive.pixelcnn import PixelStacks
from scratchgen.models.gan.heads import Branches, LabelMaps, Projection


@torch_rule(Embedding)
def embedding(layer: Embedding, shape: Shape, dtype: Any) -> str:
    return f"nn.Embedding({layer.num_embeddings}, {layer.embedding_dim})"


@torch_rule(TimeEmbedding)
def time_embedding(layer: TimeEmbedding, shape: Shape, dtype: Any) -> str:
    return f"TimeEmbedding({layer.features})"


@torch_rule(Condition)
def condition(net: Condition, shape: Shape, dtype: Any) -> str:
    return f"Condition({net.embedding}, {net.classes})"


@torch_rule(ResidualBlock)
def residual_block(block: ResidualBlock, shape: Shape, dtype: Any) -> str:
    first, inner = constructor(block.first, shape, dtype)
    second, _ = constructor(block.second, inner, dtype)
    shift, _ = constructor(block.shift, (block.shift.in_features,), dtype)
    skip = ", None" if block.skip is None else f", {constructor(block.skip, shape, dtype)[0]}"
    return f"ResidualBlock({first}, {second}, {shift}{skip})"


@torch_rule(ResidualNet)
def residual_net(net: ResidualNet, shape: Shape, dtype: Any) -> str:
    blocks = len(net.blocks)
    return (
        f"ResidualNet({net.features}, {net.hidden}, {blocks}, classes={net.classes}, "
        f"embedding={net.embedding})"
    )


@torch_rule(UNet)
def u_net(net: UNet, shape: Shape, dtype: Any) -> str:
    flags = f"squeeze={net.squeeze is not None}, attention={net.attention is not None}"
    sizes = f"dropout={net.dropout}, groups={net.groups}, classes={net.classes}, embedding={net.embedding}"
    return f"UNet({net.shape}, {net.channels}, {flags}, {sizes})"


@torch_rule(SelfAttention, CausalSelfAttention)
def self_attention(layer: SelfAttention, shape: Shape, dtype: Any) -> str:
    settings = ", causal=True" * layer.causal + ", rotary=True" * layer.rotary
    return f"SelfAttention({layer.features}, {layer.heads}{settings})"


@torch_rule(PixelAttention)
def pixel_attention(layer: PixelAttention, shape: Shape, dtype: Any) -> str:
    return f"PixelAttention({layer.channels}, {layer.norm.groups}, {layer.attention.heads})"


@torch_rule(TransformerBlock)
def transformer_block(block: TransformerBlock, shape: Shape, dtype: Any) -> str:
    a = block.attention
    return f"TransformerBlock({a.features}, {a.heads}, {a.rotary}, {block.drop1.p})"


@torch_rule(RNN, LSTM, GRU)
def recurrent(layer: Recurrent, shape: Shape, dtype: Any) -> str:
    return f"{type(layer).__name__}({layer.features}, {layer.hidden})"


@torch_rule(PixelStacks)
def pixel_stacks(net: PixelStacks, shape: Shape, dtype: Any) -> str:
    convolutions: Any = net.vertical.layers
    kernels = [layer.window.kernel[0] for layer in convolutions]
    return f"PixelStacks({convolutions[0].out_channels}, kernels={kernels})"


@torch_rule(LabelMaps)
def label_maps(layer: LabelMaps, shape: Shape, dtype: Any) -> str:
    return f"LabelMaps({layer.shape}, {layer.classes})"


@torch_rule(Projection)
def projection(layer: Projection, shape: Shape, dtype: Any) -> str:
    body, inner = constructor(layer.body, (layer.features,), dtype)
    head, _ = constructor(layer.head, inner, dtype)
    table, _ = constructor(layer.embedding, (layer.classes,), dtype)
    return f"Projection({body}, {head}, {table}, {layer.features})"


@torch_rule(Branches)
def branches(layer: Branches, shape: Shape, dtype: Any) -> str:
    return f"Branches({', '.join(constructor(branch, shape, dtype)[0] for branch in layer.branches)})"


@torch_rule(WithLabel)
def with_label(net: WithLabel, shape: Shape, dtype: Any) -> str:
    text, _ = constructor(net.net, (shape[0] + net.classes,), dtype)
    return f"WithLabel({net.classes}, {text.removeprefix('nn.Sequential(')}"


@torch_rule(MaskedWithLabel)
def masked_with_label(net: MaskedWithLabel, shape: Shape, dtype: Any) -> str:
    sizes = (net.layers[0].in_features, *(layer.out_features for layer in net.layers))
    return f"MaskedWithLabel({sizes}, {net.labels[0].num_embeddings})"


@torch_rule(CharacterLogits)
def character_logits(net: CharacterLogits, shape: Shape, dtype: Any) -> str:
    characters, features = net.characters.num_embeddings - 1, net.characters.embedding_dim
    blocks, _ = constructor(net.blocks, (*shape, features), dtype)
    window = "None" if net.positions is None else shape[0]
    return f"CharacterLogits({characters}, {features}, {window}, {blocks})"


@torch_rule(Shift)
def shift(layer: Shift, shape: Shape, dtype: Any) -> str:
    return f"Shift({layer.in_features})"


@torch_rule(GaussianScores)
def gaussian_scores(layer: GaussianScores, shape: Shape, dtype: Any) -> str:
    return f"GaussianScores{layer.whiten.shape}"
