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
from scratchgen.layers.additive_attention import AdditiveAttention
from scratchgen.layers.attention import CausalSelfAttention, SelfAttention, TransformerBlock
from scratchgen.layers.base import Layer, Parameter
from scratchgen.layers.conv import Conv2d, ConvTranspose2d
from scratchgen.layers.coupling import AdditiveCoupling, AffineCoupling, Bijection, Scaling, Squeeze
from scratchgen.layers.cross_attention import CrossAttention
from scratchgen.layers.dropout import Dropout
from scratchgen.layers.embedding import Embedding
from scratchgen.layers.group_norm import GroupNorm
from scratchgen.layers.gru import GRU
from scratchgen.layers.linear import Linear
from scratchgen.layers.lstm import LSTM
from scratchgen.layers.masked import MaskedConv2d, MaskedLinear
from scratchgen.layers.normalisation import BatchNorm, LayerNorm
from scratchgen.layers.pooling import AvgPool2d, MaxPool2d
from scratchgen.layers.recurrent import RNN
from scratchgen.layers.reshape import Flatten, Reshape
from scratchgen.layers.residual import ResidualBlock
from scratchgen.layers.sequential import Sequential
from scratchgen.layers.spectral import SpectralNorm
from scratchgen.layers.time_embedding import TimeEmbedding
from scratchgen.layers.time_network import ResidualNet, TimeNetwork
from scratchgen.layers.unet import PixelAttention, UNet
from scratchgen.layers.upsample import Upsample

__all__ = [
    "Activation",
    "AdditiveAttention",
    "AdditiveCoupling",
    "AffineCoupling",
    "AvgPool2d",
    "BatchNorm",
    "Bijection",
    "CausalSelfAttention",
    "Conv2d",
    "ConvTranspose2d",
    "CrossAttention",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GELU",
    "GRU",
    "GroupNorm",
    "LSTM",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaskedConv2d",
    "MaskedLinear",
    "MaxPool2d",
    "Parameter",
    "PixelAttention",
    "RNN",
    "ReLU",
    "Reshape",
    "ResidualBlock",
    "ResidualNet",
    "Scaling",
    "SelfAttention",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "SpectralNorm",
    "Squeeze",
    "Tanh",
    "TimeEmbedding",
    "TimeNetwork",
    "TransformerBlock",
    "UNet",
    "Upsample",
]
