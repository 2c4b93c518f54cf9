"""Formulas that are right on paper and wrong in floating point. All pass a gradient check."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.zoo.entry import Entry, Outcome
from scratchgen.zoo.losses import LABELS
from scratchgen.zoo.tools import clusters, descend, layer_error, loss_error, random_generator


class CrossEntropy:
    """The mean cross-entropy of softmax probabilities."""

    @staticmethod
    def loss(logits, labels):
        n = np.arange(len(labels))
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        dlogits = np.exp(log_p)
        dlogits[n, labels] -= 1
        return -log_p[n, labels].mean(), (dlogits / len(labels),)


class BinaryCrossEntropy:
    """The mean binary cross-entropy of logits, computed without overflow."""

    @staticmethod
    def loss(logits, target):
        small = np.exp(-np.abs(logits))
        loss = np.maximum(logits, 0) - logits * target + np.log1p(small)
        p = np.where(logits < 0, small, 1) / (1 + small)
        return loss.mean(), ((p - target) / len(target),)


class Standardise:
    """x minus its mean, divided by its standard deviation."""

    @staticmethod
    def variance(x):
        return ((x - x.mean(axis=0)) ** 2).mean(axis=0)

    @classmethod
    def forward(cls, x):
        inv = 1 / np.sqrt(cls.variance(x) + x.dtype.type(1e-5))
        out = (x - x.mean(axis=0)) * inv
        return out, (out, inv)

    @staticmethod
    def backward(dout, cache):
        out, inv = cache
        return ((dout - dout.mean(axis=0) - out * (dout * out).mean(axis=0)) * inv,)


class NumericsEntry(Entry):
    """An entry that fails only for large numbers."""

    passes_gradient_check = True
    bound = 1e-6
    measure = "share of training steps whose loss is not finite"
    apart = 0.5


class OverflowingSoftmax(NumericsEntry):
    title = "softmax without subtracting the largest logit"
    symptom = "Training is fine until a logit exceeds 709 (88 in float32); then everything is NaN."
    numbers = (0.0, 0.99)
    caught_by = "invariance: adding 1,000 to all logits of a row changes nothing"
    fix = "Subtract the largest logit first, and keep log p in place of p."
    seen = "nearly every first implementation; it appears with inputs from 0 to 255 or a large rate"
    where = "scratchgen/distributions.py"
    gradcheck = "softmax_cross_entropy"
    exercise = "softmax-cross-entropy"
    Right = CrossEntropy

    class Wrong(CrossEntropy):
        @staticmethod
        def loss(logits, labels):
            n = np.arange(len(labels))
            log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            dlogits = np.exp(log_p)
            dlogits[n, labels] -= 1
            return -log_p[n, labels].mean(), (dlogits / len(labels),)

    def gradient_error(self, code: Any) -> float:
        return loss_error(code.loss, random_generator().standard_normal((5, 3)), fixed=(LABELS,))

    def check(self, code: Any) -> float:
        logits = random_generator().standard_normal((5, 3))
        (loss, (dlogits,)), (shifted, (dshifted,)) = (code.loss(logits + c, LABELS) for c in (0.0, 1000.0))
        return max(abs(float(loss - shifted)), float(np.abs(dlogits - dshifted).max()))

    def run(self, code: Any) -> Outcome:
        """Softmax regression on inputs of up to 255, as pixels that were not scaled."""
        x, labels = clusters(96)
        x = 100 * x

        def gradient(step, weight):
            loss, (dlogits,) = code.loss(x @ weight, labels)
            return loss, (x.T @ dlogits,)

        losses, _ = descend(gradient, (np.zeros((2, 3)),), lr=0.1, steps=100)
        return Outcome(float((~np.isfinite(losses)).mean()), losses)


class BinaryEntry(NumericsEntry):
    """An entry about binary cross-entropy."""

    where = "scratchgen/losses.py"
    gradcheck = "bce_with_logits"
    exercise = "bernoulli-loss"
    Right = BinaryCrossEntropy

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        target = (rng.random(6) < 0.5).astype(float)
        return loss_error(code.loss, rng.standard_normal(6), fixed=(target,))

    @staticmethod
    def regress(code: Any, start: float, scale: float, lr: float) -> np.ndarray:
        """The losses of a logistic regression whose weights all start at `start`."""
        x, labels = clusters(96, k=2)

        def gradient(step, weight):
            loss, (dlogits,) = code.loss(scale * x @ weight, labels.astype(float))
            return loss, (scale * x.T @ dlogits,)

        return descend(gradient, (np.full(2, start),), lr=lr, steps=100)[0]


class LogOfZero(BinaryEntry):
    title = "the loss is computed from σ(l), which rounds to 0 or 1"
    symptom = "The loss is infinite or NaN as soon as one prediction is certain."
    numbers = (0.0, 1.0)
    caught_by = "closed form: a logit of 800 for target 0 costs 800"
    fix = "Compute the loss from the logits: max(l, 0) − l·t + log(1 + e^−|l|)."
    seen = "GANs and autoencoders with a sigmoid layer at the end"

    class Wrong(BinaryCrossEntropy):
        @staticmethod
        def loss(logits, target):
            p = 1 / (1 + np.exp(-logits))
            loss = -(target * np.log(p) + (1 - target) * np.log(1 - p))
            return loss.mean(), ((p - target) / len(target),)

    def check(self, code: Any) -> float:
        return abs(float(code.loss(np.array([800.0]), np.array([0.0]))[0]) / 800 - 1)

    def run(self, code: Any) -> Outcome:
        losses = self.regress(code, start=1.0, scale=100.0, lr=0.01)
        return Outcome(float((~np.isfinite(losses)).mean()), losses)


class ClippedLog(BinaryEntry):
    title = "probabilities are clipped to [1e-7, 1 − 1e-7] before the logarithm"
    symptom = "The loss is finite but stuck: a certain and wrong prediction has no gradient."
    numbers = (0.127, 2.41)
    measure = "training loss at the end"
    caught_by = "closed form: the gradient of a certain and wrong prediction is −1 or 1"
    fix = "Compute the loss from the logits; then nothing has to be clipped."
    seen = "the usual repair of an infinite loss, np.clip(p, eps, 1 - eps)"

    class Wrong(BinaryCrossEntropy):
        @staticmethod
        def loss(logits, target):
            p = 1 / (1 + np.exp(-logits))
            kept = np.clip(p, 1e-7, 1 - 1e-7)
            loss = -(target * np.log(kept) + (1 - target) * np.log(1 - kept))
            return loss.mean(), (np.where(p == kept, p - target, 0) / len(target),)

    def check(self, code: Any) -> float:
        return abs(float(code.loss(np.array([-40.0]), np.array([1.0]))[1][0][0]) + 1)

    def run(self, code: Any) -> Outcome:
        losses = self.regress(code, start=20.0, scale=1.0, lr=0.5)
        return Outcome(float(losses[-1]), losses)


class VarianceBySquares(NumericsEntry):
    title = "the variance is computed as E[x²] − E[x]²"
    symptom = "In float32 the result is noise, or negative, for data whose mean is far from zero."
    numbers = (0.00488, math.inf)
    measure = "largest error of the standardised data for an offset of up to 1e4"
    x_label = "offset of the data, power of ten"
    y_label = "largest error"
    caught_by = "invariance: an offset of 1e4 changes the standardised data by rounding only"
    bound = 0.05
    fix = "Subtract the mean first, then square."
    seen = "running statistics and batch norm in one pass; grey levels and times with a large offset"
    where = "scratchgen/layers/normalisation.py"
    gradcheck = "BatchNorm"
    exercise = "batch-norm"
    Right = Standardise

    class Wrong(Standardise):
        @staticmethod
        def variance(x):
            return (x**2).mean(axis=0) - x.mean(axis=0) ** 2

    def gradient_error(self, code: Any) -> float:
        return layer_error(code, random_generator().standard_normal((6, 3)))

    @staticmethod
    def error(code: Any, offset: float) -> float:
        """The largest difference of the standardised data in float32 from that without an offset."""
        x = random_generator().standard_normal((256, 4))
        exact = (x - x.mean(axis=0)) / x.std(axis=0)
        return float(np.abs(code.forward((x + offset).astype(np.float32))[0] - exact).max())

    def check(self, code: Any) -> float:
        return self.error(code, 1e4)

    def run(self, code: Any) -> Outcome:
        powers = np.linspace(0, 4, 21)
        errors = np.array([self.error(code, 10.0**power) for power in powers])
        return Outcome(float(errors.max()), errors, x=powers)
