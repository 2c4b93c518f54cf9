"""Mistakes in activations."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Outcome
from scratchgen.zoo.tools import curved_data, descend, layer_error, random_generator, squared_error, tail


class Tanh:
    @staticmethod
    def forward(x):
        out = np.tanh(x)
        return out, out

    @staticmethod
    def backward(dout, out):
        return (dout * (1 - out**2),)


class ReLU:
    @staticmethod
    def forward(x):
        return np.maximum(x, 0), x

    @staticmethod
    def backward(dout, x):
        return (dout * (x > 0),)


class ELU:
    """x for x > 0, eˣ − 1 otherwise."""

    @staticmethod
    def forward(x):
        out = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        return out, out

    @staticmethod
    def backward(dout, out):
        return (dout * np.where(out > 0, 1, out + 1),)


class SiLU:
    """x·σ(x)."""

    @staticmethod
    def forward(x):
        sig = 1 / (1 + np.exp(-x))
        return x * sig, (x, sig)

    @staticmethod
    def backward(dout, cache):
        x, sig = cache
        return (dout * (sig + x * sig * (1 - sig)),)


class ActivationEntry(CaughtByGradient):
    """An entry about an activation, which trains in a network with two hidden layers."""

    measure = "training loss at the end"
    where = "scratchgen/layers/activations.py"
    apart = 0.01
    rate: ClassVar[float] = 0.03

    def gradient_error(self, code: Any) -> float:
        return layer_error(code, random_generator().standard_normal((4, 6)))

    def run(self, code: Any) -> Outcome:
        x, y = curved_data(64)
        curves = [self.train(code, x, y, self.rate, np.random.default_rng(seed)) for seed in range(4)]
        losses = np.mean(curves, axis=0)
        return Outcome(tail(losses), losses)

    @staticmethod
    def train(
        code: Any, x: np.ndarray, y: np.ndarray, rate: float, rng: np.random.Generator
    ) -> np.ndarray:
        """The losses of one training from a random start."""
        shapes = ((2, 16), (1, 16), (16, 16), (1, 16), (16, 1), (1, 1))
        start = [rng.standard_normal(s) * (s[0] > 1) * (1.4 / s[0]) ** 0.5 for s in shapes]

        def gradient(step, w1, b1, w2, b2, w3, b3):
            h, first = code.forward(x @ w1 + b1)
            g, second = code.forward(h @ w2 + b2)
            loss, dout = squared_error(g @ w3 + b3, y)
            (db,) = code.backward(dout @ w3.T, second)
            (da,) = code.backward(db @ w2.T, first)
            return loss, (x.T @ da, da.sum(0), h.T @ db, db.sum(0), g.T @ dout, dout.sum(0))

        return descend(gradient, start, lr=rate, steps=300)[0]


class TanhOfInput(ActivationEntry):
    title = "the derivative of tanh is computed from the input in place of the output"
    symptom = "The gradient has the wrong sign where |x| > 1, and training fails or is unstable."
    numbers = (0.0885, math.inf)
    fix = "The derivative is 1 − out², with out = tanh(x). Keep the output in the cache."
    seen = "sigmoid and tanh in first hand-written networks, where forward and backward share a variable x"
    gradcheck = "Tanh"
    exercise = "sigmoid"
    Right = Tanh

    class Wrong(Tanh):
        @staticmethod
        def forward(x):
            return np.tanh(x), x


class MaskOfGradient(ActivationEntry):
    title = "ReLU's backward masks by the sign of dout in place of the sign of x"
    symptom = "Negative gradients are lost, so activations can only be pushed in one direction."
    numbers = (0.125, 2.27)
    fix = "The slope depends on the input: 1 where x > 0, 0 elsewhere."
    seen = "backward functions copied from the forward line, np.maximum(dout, 0)"
    gradcheck = "ReLU"
    exercise = "relu"
    Right = ReLU

    class Wrong(ReLU):
        @staticmethod
        def backward(dout, x):
            return (np.maximum(dout, 0),)


class EluSlope(ActivationEntry):
    title = "the slope of ELU below zero is its output, without the + 1"
    symptom = (
        "With a small learning rate nothing looks wrong: the loss may even be lower. With a rate at which "
        "the right code trains, it diverges."
    )
    numbers = (0.0797, math.inf)
    rate = 0.1
    fix = "The derivative of eˣ − 1 is eˣ = out + 1."
    seen = "an issue about ELU's gradient in a from-scratch machine-learning repository"
    gradcheck = "ELU"
    exercise = "sigmoid"
    Right = ELU

    class Wrong(ELU):
        @staticmethod
        def backward(dout, out):
            return (dout * np.where(out > 0, 1, out),)


class GateConstant(ActivationEntry):
    title = "SiLU's backward treats the gate σ(x) as a constant"
    symptom = "The loss falls, but less far: one term of the product rule is missing."
    numbers = (0.112, 0.177)
    apart = 0.001
    fix = "Both factors of x·σ(x) depend on x: σ + x·σ·(1 − σ)."
    seen = "gated activations (SiLU, GLU, gates of recurrent cells) that were derived in a hurry"
    gradcheck = "SiLU"
    exercise = "silu"
    Right = SiLU

    class Wrong(SiLU):
        @staticmethod
        def backward(dout, cache):
            x, sig = cache
            return (dout * sig,)
