"""The alphabet: every layer has a forward, and a backward written by hand."""

from scratchgen.layers.activations import (
    ELU,
    GELU,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from scratchgen.layers.base import Layer, Parameter, Sequential
from scratchgen.layers.linear import Linear

__all__ = [
    "ELU",
    "GELU",
    "Layer",
    "LeakyReLU",
    "Linear",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]
