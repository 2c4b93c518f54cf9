"""Mistakes in a linear layer and in the rules that every layer has to follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.gradcheck import check_contract, check_layer
from scratchgen.layers import Layer, Parameter
from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import (
    curved_data,
    descend,
    largest,
    layer_error,
    random_generator,
    squared_error,
    tail,
)


class Affine:
    """out = x·W + b, the input x (N, D)."""

    @staticmethod
    def forward(x, weight, bias):
        return x @ weight + bias, (x, weight)

    @staticmethod
    def backward(dout, cache):
        x, weight = cache
        return dout @ weight.T, x.T @ dout, dout.sum(axis=0)


def train_two_layers(code: Any, *, lr: float = 0.05, steps: int = 300) -> Outcome:
    """Fit a curve with two affine layers of this code and a tanh between them."""
    rng = random_generator()
    x, y = curved_data(64)
    x = x @ rng.standard_normal((2, 8))                     # 8 features, so that both layers are square
    weights = [0.3 * rng.standard_normal((8, 8)), np.zeros(8), 0.3 * rng.standard_normal((8, 8)), np.zeros(8)]
    last = rng.standard_normal((8, 1)) / 2

    def gradient(step, w1, b1, w2, b2):
        a, first = code.forward(x, w1, b1)
        h = np.tanh(a)
        b, second = code.forward(h, w2, b2)
        g = np.tanh(b)
        loss, dout = squared_error(g @ last, y)
        dh, dw2, db2 = code.backward(dout @ last.T * (1 - g**2), second)
        _, dw1, db1 = code.backward(dh * (1 - h**2), first)
        return loss, (dw1, db1, dw2, db2)

    losses, _ = descend(gradient, weights, lr=lr, steps=steps)
    return Outcome(tail(losses), losses)


class AffineEntry(CaughtByGradient):
    """An entry about the affine layer: it is square, so that a missing transpose has the right shape."""

    measure = "training loss at the end"
    where = "scratchgen/layers/linear.py"
    gradcheck = "Linear"
    exercise = "linear"
    Right = Affine

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        return layer_error(code, *(rng.standard_normal(s) for s in ((5, 3), (3, 3), 3)))

    def run(self, code: Any) -> Outcome:
        return train_two_layers(code)


class BiasOfOneRow(AffineEntry):
    title = "the bias gradient takes one row in place of the sum over the batch"
    symptom = "The loss falls, but less far. NumPy broadcasts the row, so no shape is wrong."
    numbers = (0.357, 1.95)
    apart = 0.01
    fix = "The bias is added to every row, so its gradient is the sum over all rows."
    seen = "first hand-written networks, where forward works on one example"

    class Wrong(Affine):
        @staticmethod
        def backward(dout, cache):
            x, weight = cache
            return dout @ weight.T, x.T @ dout, dout[0]


class DividedTwice(AffineEntry):
    title = "the weight gradient is divided by the batch size, as the loss was already"
    symptom = "Training is slower, and slower still with a larger batch or more layers."
    numbers = (0.357, 1.44)
    apart = 0.1
    fix = "The loss is a mean over the batch, so dout has the factor 1/N. No layer divides again."
    seen = "exercise repositories with 1/m in every layer, as in some course notes; 2/n against 1/n"

    class Wrong(Affine):
        @staticmethod
        def backward(dout, cache):
            x, weight = cache
            return dout @ weight.T, x.T @ dout / len(x), dout.sum(axis=0)


class WeightNotTransposed(AffineEntry):
    title = "dx is computed with W in place of its transpose"
    symptom = "A square layer raises no error, and the layers below it learn from a wrong signal."
    numbers = (0.357, 0.904)
    apart = 0.01
    fix = "dx = dout·Wᵀ. Test with a layer that is not square: then the wrong line raises an error."
    seen = "matrix products that were made to fit by trying which shapes work"

    class Wrong(Affine):
        @staticmethod
        def backward(dout, cache):
            x, weight = cache
            return dout @ weight, x.T @ dout, dout.sum(axis=0)


class Scale(Layer):
    """out = x·w, with one weight for each feature."""

    def __init__(self, width):
        self.weight = Parameter(np.linspace(0.5, 1.5, width))

    def forward(self, x, training=False):
        return x * self.weight.value, x

    def backward(self, dout, x, input_grad=True):
        if self.trainable:
            self.weight.grad += (dout * x).sum(axis=0)
        return dout * self.weight.value if input_grad else None


class ContractEntry(Entry):
    """An entry about a rule of scratchgen.layers.base that a gradient check of one layer does not see."""

    bound = 1e-12
    passes_gradient_check = True
    where = "scratchgen/layers/base.py"
    measure = "training loss at the end"
    gradcheck = "Linear"
    exercise = "linear"
    Right = Scale

    def gradient_error(self, code: Any) -> float:
        return largest(check_layer(code(3), random_generator().standard_normal((5, 3)), rng=0))

    def check(self, code: Any) -> float:
        x = random_generator().standard_normal((5, 3))
        return max(r.error for r in check_contract(code(3), x, rng=0))

    def run(self, code: Any) -> Outcome:
        """Apply one layer to two inputs, and fit the difference of its outputs plus a skip connection."""
        rng = random_generator()
        a, b = rng.standard_normal((32, 3)), rng.standard_normal((32, 3)) + 1
        target = a * [0.5, -1, 2] - b * [0.5, -1, 2] + 0.3 * a
        layer = code(3)
        mix = np.zeros(3)
        losses = np.zeros(150)
        for step in range(len(losses)):
            layer.zero_grad()
            first, first_cache = layer.forward(a)
            second, second_cache = layer.forward(b)
            losses[step], dout = squared_error(first - second + mix * a, target)
            layer.backward(-dout, second_cache)
            layer.backward(dout, first_cache)
            mix -= 0.05 * (dout * a).sum(axis=0)            # the skip connection uses the same dout
            layer.weight.value -= 0.05 * layer.weight.grad
        return Outcome(tail(losses), losses)


class GradientOverwritten(ContractEntry):
    title = "backward assigns the gradient in place of adding to it"
    symptom = "Networks that use a layer twice (siamese, tied weights, real and fake batches) learn badly."
    numbers = (1.58e-06, 2.41)
    apart = 0.05
    caught_by = "contract check: two calls of backward add up"
    fix = "A parameter that is used twice gets the sum of both gradients: +=, and zero_grad once per step."
    seen = "small autograd engines and layer libraries, whose first tests use each layer once"

    class Wrong(Scale):
        def backward(self, dout, x, input_grad=True):
            if self.trainable:
                self.weight.grad[...] = (dout * x).sum(axis=0)
            return dout * self.weight.value if input_grad else None


class DoutChanged(ContractEntry):
    title = "backward changes the caller's dout in place"
    symptom = "A branch that uses the same dout later, such as a skip connection, gets a wrong gradient."
    numbers = (1.58e-06, 6.05)
    apart = 0.05
    caught_by = "contract check: backward changes neither dout nor the cache"
    fix = "Write the result into a new array. dout belongs to the caller."
    seen = "activations with dout[x <= 0] = 0, and layers that save an array by multiplying in place"

    class Wrong(Scale):
        def backward(self, dout, x, input_grad=True):
            if self.trainable:
                self.weight.grad += (dout * x).sum(axis=0)
            dout *= self.weight.value
            return dout if input_grad else None


class InputKeptInLayer(ContractEntry):
    title = "the layer keeps its last input as an attribute"
    symptom = "If the layer is applied twice before backward, both gradients use the second input."
    numbers = (1.58e-06, 7.4)
    apart = 0.05
    caught_by = "contract check: another forward before backward changes nothing"
    fix = "Return what backward needs as a cache, and let the caller pass it back."
    seen = "layer classes with self.x = x in forward, when they are used in a GAN or a siamese network"

    class Wrong(Scale):
        def forward(self, x, training=False):
            self.x = x
            return super().forward(x)

        def backward(self, dout, cache, input_grad=True):
            return super().backward(dout, self.x, input_grad)


