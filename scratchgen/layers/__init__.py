"""Layers. Each has a forward pass and a backward pass written by hand."""

from scratchgen.layers.activations import (
    ELU,
    GELU,
    Activation,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from scratchgen.layers.attention import CausalSelfAttention, TransformerBlock
from scratchgen.layers.base import Layer, Parameter
from scratchgen.layers.conv import Conv2d, ConvTranspose2d
from scratchgen.layers.coupling import AdditiveCoupling, AffineCoupling, Bijection, Scaling, Squeeze
from scratchgen.layers.dropout import Dropout
from scratchgen.layers.embedding import Embedding
from scratchgen.layers.linear import Linear
from scratchgen.layers.masked import MaskedConv2d, MaskedLinear
from scratchgen.layers.normalisation import BatchNorm, LayerNorm
from scratchgen.layers.pooling import AvgPool2d, MaxPool2d
from scratchgen.layers.reshape import Flatten, Reshape
from scratchgen.layers.sequential import Sequential

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "AdditiveCoupling",
    "AffineCoupling",
    "AvgPool2d",
    "BatchNorm",
    "Bijection",
    "CausalSelfAttention",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaskedConv2d",
    "MaskedLinear",
    "MaxPool2d",
    "Parameter",
    "ReLU",
    "Reshape",
    "Scaling",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Squeeze",
    "Tanh",
    "TransformerBlock",
]
