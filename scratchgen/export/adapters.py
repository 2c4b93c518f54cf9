"""Networks that exist only for export: around or instead of what a model computes with arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import Array, one_hot
from scratchgen.layers import Layer, MaskedLinear, Parameter, ReLU, Sequential
from scratchgen.layers.coupling import Bijection
from scratchgen.module import Module


class Inverse(Layer):
    """The inverse of a bijection as a layer, for the way from z to x."""

    def __init__(self, bijection: Bijection):
        self.bijection = bijection

    def forward(self, x: Array, training: bool = False) -> tuple[Array, None]:
        return self.bijection.inverse(x), None


class WithLabel(Module):
    """A network of [x, onehot(y)] as a network of x and y: (N, D) and integers (N,).

    The names of its weights are those of the network.
    """

    def __init__(self, net: Sequential, classes: int):
        self.net, self.classes = net, classes

    def children(self) -> dict[str, Any]:
        return self.net.children()

    def forward(self, x: Array, y: Array, training: bool = False) -> tuple[Array, Any]:
        return self.net.forward(np.concatenate([x, one_hot(y, self.classes, x.dtype)], axis=1), training)


class MaskedWithLabel(Module):
    """The network of a MADE with classes and fixed masks, (MADE.4): x (N, D) and integers y (N,)."""

    def __init__(self, layers: list[MaskedLinear], labels: list[Any]):
        self.layers, self.labels, self.relu = layers, labels, ReLU()

    def forward(self, x: Array, y: Array, training: bool = False) -> tuple[Array, None]:
        h = x
        for i, (layer, label) in enumerate(zip(self.layers, self.labels, strict=True)):
            h = self.relu.forward(h)[0] if i else h
            h = layer.forward(h)[0] + label.weight.value[y]
        return h, None


class CharacterLogits(Module):
    """The logits of every character of a window, from those before it: integers (N, T) -> (N, T, V).

    model : a CharacterModel
    """

    def __init__(self, model: Any):
        self.characters, self.positions = model.characters, model.positions
        self.blocks, self.norm, self.head = model.blocks, model.norm, model.head
        self.start = len(model.alphabet)        # the token before the first character

    def forward(self, x: Array, training: bool = False) -> tuple[Array, None]:
        inputs = np.concatenate([np.full((len(x), 1), self.start), x[:, :-1]], axis=1)      # (CHR.1)
        h, _ = self.characters.forward(inputs)
        if self.positions is not None:
            h = h + self.positions.weight.value                             # (CHR.2)
        for layer in (self.blocks, self.norm, self.head):                   # (CHR.3)
            h, _ = layer.forward(h)
        return h, None


class Shift(Layer):
    """out = x + shift, with one number for each feature."""

    def __init__(self, shift: Array):
        self.shift = Parameter(shift)
        self.in_features = len(shift)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, None]:
        self.expect(x, features=self.in_features)
        return x + self.shift.value, None


class GaussianScores(Layer):
    """log p(x, y) of a Normal distribution for each class, up to rounding: (N, D) -> (N, C).

    out_c = offset_c − ½·‖(x − mean_c)·whiten_c‖², which is (GDA.3) with all constants in offset_c
    """

    def __init__(self, mean: Array, whiten: Array, offset: Array):
        self.mean, self.whiten, self.offset = Parameter(mean), Parameter(whiten), Parameter(offset)
        self.in_features = mean.shape[1]

    def forward(self, x: Array, training: bool = False) -> tuple[Array, None]:
        self.expect(x, features=self.in_features)
        centred = x[:, None, :] - self.mean.value                           # (N, C, D)
        white = centred.swapaxes(0, 1) @ self.whiten.value                  # (C, N, D)
        return self.offset.value - 0.5 * (white**2).sum(axis=2).T, None     # (N, C)
