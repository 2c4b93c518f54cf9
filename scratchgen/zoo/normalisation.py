"""Mistakes in batch norm and layer norm."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import (
    clusters,
    cross_entropy,
    descend,
    layer_error,
    random_generator,
    squared_error,
    tail,
)


class BatchNorm:
    """Each column with mean 0 and variance 1 over the batch; without scale and shift."""

    @staticmethod
    def forward(x):
        xc = x - x.mean(axis=0)
        inv = 1 / np.sqrt((xc**2).mean(axis=0) + 1e-5)
        return xc * inv, (xc * inv, inv)

    @staticmethod
    def backward(dout, cache):
        out, inv = cache
        dmean = dout.mean(axis=0)
        return ((dout - dmean - out * (dout * out).mean(axis=0)) * inv,)


class Trained:
    """Batch norm with running statistics, mean and var (D,), which training updates in place."""

    @staticmethod
    def forward(x, mean, var, training):
        if not training:
            return (x - mean) / np.sqrt(var + 1e-5)
        batch_mean, batch_var = x.mean(axis=0), x.var(axis=0)
        mean += 0.1 * (batch_mean - mean)
        var += 0.1 * (batch_var - var)
        return (x - batch_mean) / np.sqrt(batch_var + 1e-5)


class LayerNorm:
    """Each row with mean 0 and variance 1."""

    @staticmethod
    def mean(a):
        return a.mean(axis=-1, keepdims=True)

    @classmethod
    def forward(cls, x):
        xc = x - cls.mean(x)
        inv = 1 / np.sqrt(cls.mean(xc**2) + 1e-5)
        return xc * inv, (xc * inv, inv)

    @classmethod
    def backward(cls, dout, cache):
        out, inv = cache
        return ((dout - cls.mean(dout) - out * cls.mean(dout * out)) * inv,)


class RootOfVariance:
    """Batch norm that keeps the centred input xc, the root of the variance, and the divisor."""

    @staticmethod
    def divisor(var):
        root = np.sqrt(var + 1e-5)
        return root, root

    @classmethod
    def forward(cls, x):
        xc = x - x.mean(axis=0)
        root, divisor = cls.divisor((xc**2).mean(axis=0))
        return xc / divisor, (xc, root, divisor)

    @staticmethod
    def backward(dout, cache):
        xc, root, divisor = cache
        droot = -(dout * xc).sum(axis=0) / divisor**2
        dxc = dout / divisor + droot / (2 * root) * 2 / len(xc) * xc
        return (dxc - dxc.mean(axis=0),)


class NormEntry(CaughtByGradient):
    """An entry that trains Linear, batch norm, tanh, Linear on inputs whose mean is not zero."""

    measure = "training loss at the end"
    where = "scratchgen/layers/normalisation.py"
    apart = 0.005
    gradcheck = "BatchNorm"
    exercise = "batch-norm"
    Right: ClassVar[Any] = BatchNorm

    def gradient_error(self, code: Any) -> float:
        return layer_error(code, random_generator().standard_normal((5, 3)))

    def run(self, code: Any) -> Outcome:
        losses = self.train(code, 0)
        return Outcome(tail(losses), losses)

    @staticmethod
    def train(code: Any, constant_columns: int) -> np.ndarray:
        """The losses. The given number of hidden units gets no input."""
        rng = random_generator()
        x = rng.uniform(0, 1, (64, 4)) + 2
        y = np.sin(3 * x[:, :1]) * x[:, 1:2] + x[:, 2:3] ** 2 - 6
        first = rng.standard_normal((4, 12))
        first[:, :constant_columns] = 0

        def gradient(step, w1, w2, bias):
            a, cache = code.forward(x @ w1)
            h = np.tanh(a)
            loss, dout = squared_error(h @ w2 + bias, y)
            (da,) = code.backward(dout @ w2.T * (1 - h**2), cache)
            return loss, (x.T @ da, h.T @ dout, dout.sum(axis=0))

        return descend(gradient, (first, np.zeros((12, 1)), np.zeros(1)), lr=0.1, steps=400)[0]


class MeanTermDropped(NormEntry):
    title = "batch norm's backward lacks the term of the mean"
    symptom = "The loss falls, but less far, if the inputs of the layer before have a mean."
    numbers = (0.384, 0.579)
    fix = "The mean depends on every row: subtract the mean of dout over the batch."
    seen = "derivations that stop after the variance; a check with dout = 1 passes"

    class Wrong(BatchNorm):
        @staticmethod
        def backward(dout, cache):
            out, inv = cache
            return ((dout - out * (dout * out).mean(axis=0)) * inv,)


class StatisticsConstant(NormEntry):
    title = "batch norm's backward treats the mean and the variance as constants"
    symptom = "Weights below the layer grow without limit, and training is slow or unstable."
    numbers = (0.384, 0.581)
    fix = "All three terms: dout, its mean, and out times the mean of dout·out."
    seen = "implementations that use the formula of evaluation mode for training"

    class Wrong(BatchNorm):
        @staticmethod
        def backward(dout, cache):
            out, inv = cache
            return (dout * inv,)


class EpsOutsideRoot(NormEntry):
    title = "eps is added to the standard deviation, not to the variance"
    symptom = "The gradient is NaN from the first step if a column is constant, as pixels at the border are."
    numbers = (0.0, 0.998)
    measure = "share of training steps whose loss is not finite"
    apart = 0.5
    caught_by = "extreme input: a constant column has a finite gradient"
    bound = 0.0
    passes_gradient_check = True
    fix = "sqrt(var + eps): the derivative of the square root is infinite at 0."
    seen = "any standard deviation or norm with sqrt at zero, also in the gradient penalty of a WGAN"
    Right = RootOfVariance

    class Wrong(RootOfVariance):
        @staticmethod
        def divisor(var):
            root = np.sqrt(var)
            return root, root + 1e-5

    def check(self, code: Any) -> float:
        x = random_generator().standard_normal((5, 3))
        x[:, 1] = 2
        _, cache = code.forward(x)
        return float((~np.isfinite(code.backward(x, cache)[0])).sum())

    def run(self, code: Any) -> Outcome:
        losses = self.train(code, 1)
        return Outcome(float((~np.isfinite(losses)).mean()), losses)


def accuracy_in_batches(predict: Any, size: int) -> float:
    """The accuracy of a linear classifier on normalised inputs, which are given in batches of this size."""
    x, labels = clusters(60)
    directions = np.stack([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(3) / 3])
    logits = [predict(x[i : i + size]) @ directions.T for i in range(0, len(x), size)]
    return float((np.concatenate(logits).argmax(axis=1) == labels).mean())


class EvalModeForgotten(Entry):
    title = "batch norm uses the statistics of the batch in evaluation, too"
    symptom = "A prediction depends on the other examples; for a batch of one it is the same for every input."
    numbers = (1.0, 0.317)
    measure = "accuracy for batches of one example"
    x_label = "batch size"
    y_label = "accuracy"
    direction = "lower"
    apart = 0.4
    caught_by = "invariance: in evaluation a row has the same output alone and in a batch"
    bound = 1e-12
    passes_gradient_check = None
    fix = "Pass training=False, and use the running statistics then."
    seen = "threads about generated images that change with the batch, and model.eval() left out"
    where = "scratchgen/layers/normalisation.py"
    gradcheck = "BatchNorm"
    exercise = "batch-norm"
    Right = Trained

    class Wrong(Trained):
        @staticmethod
        def forward(x, mean, var, training):
            batch_mean, batch_var = x.mean(axis=0), x.var(axis=0)
            mean += 0.1 * (batch_mean - mean)
            var += 0.1 * (batch_var - var)
            return (x - batch_mean) / np.sqrt(batch_var + 1e-5)

    def check(self, code: Any) -> float:
        x = random_generator().standard_normal((5, 3))
        mean, var = np.zeros(3), np.ones(3)
        together = code.forward(x, mean.copy(), var.copy(), False)
        alone = code.forward(x[:1], mean.copy(), var.copy(), False)
        return float(np.abs(together[:1] - alone).max())

    def run(self, code: Any) -> Outcome:
        x, _ = clusters(60)
        mean, var = x.mean(axis=0), x.var(axis=0)

        def predict(batch):
            return code.forward(batch, mean.copy(), var.copy(), False)

        sizes = np.array([1, 2, 3, 4, 5, 6, 10, 12, 15, 20])
        accuracies = np.array([accuracy_in_batches(predict, size) for size in sizes])
        return Outcome(float(accuracies[0]), accuracies, x=sizes)


class MomentumSwapped(Entry):
    title = "the running statistics keep 10 % of the old value in place of 90 %"
    symptom = "Training is fine; in evaluation the loss is higher and changes from step to step."
    numbers = (0.104, 0.381)
    measure = "mean error of the normalised test data"
    y_label = "error in evaluation"
    apart = 0.1
    caught_by = "moment test: after 200 batches the running mean is near the mean of the data"
    bound = 0.3
    passes_gradient_check = None
    fix = "new = old + 0.1·(batch − old). Some libraries call 0.1 the momentum, others 0.9."
    seen = "ports between libraries that define momentum in opposite ways"
    where = "scratchgen/layers/normalisation.py"
    gradcheck = "BatchNorm"
    exercise = "batch-norm"
    Right = Trained

    class Wrong(Trained):
        @staticmethod
        def forward(x, mean, var, training):
            if not training:
                return (x - mean) / np.sqrt(var + 1e-5)
            batch_mean, batch_var = x.mean(axis=0), x.var(axis=0)
            mean += 0.9 * (batch_mean - mean)
            var += 0.9 * (batch_var - var)
            return (x - batch_mean) / np.sqrt(batch_var + 1e-5)

    @staticmethod
    def statistics(code: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Train on batches of 8 of N(3, 2²): running mean and variance (50,), and errors of the output."""
        rng = random_generator()
        mean, var, errors = np.zeros(50), np.ones(50), np.zeros(200)
        test = 3 + 2 * rng.standard_normal((20, 50))
        for step in range(len(errors)):
            code.forward(3 + 2 * rng.standard_normal((8, 50)), mean, var, True)
            errors[step] = np.abs(code.forward(test, mean, var, False) - (test - 3) / 2).mean()
        return mean, var, errors

    def check(self, code: Any) -> float:
        mean, _, _ = self.statistics(code)
        return float(np.sqrt(((mean - 3) ** 2).mean()))

    def run(self, code: Any) -> Outcome:
        errors = self.statistics(code)[2]
        return Outcome(tail(errors), errors)


class LayerNormOverBatch(Entry):
    title = "layer norm takes its mean over the batch in place of the features"
    symptom = "It trains like batch norm, but a batch of one gives zeros, and examples influence each other."
    numbers = (1.0, 0.317)
    measure = "accuracy for batches of one example"
    direction = "lower"
    apart = 0.4
    caught_by = "invariance: the output of a row does not depend on the other rows"
    bound = 1e-12
    passes_gradient_check = True
    fix = "The mean of layer norm is over the last axis."
    seen = "implementations for images or sequences, with several axes to choose from"
    where = "scratchgen/layers/normalisation.py"
    gradcheck = "LayerNorm"
    exercise = "layer-norm"
    Right = LayerNorm

    class Wrong(LayerNorm):
        @staticmethod
        def mean(a):
            return a.mean(axis=0, keepdims=True)

    def gradient_error(self, code: Any) -> float:
        return layer_error(code, random_generator().standard_normal((4, 5)))

    def check(self, code: Any) -> float:
        x = random_generator().standard_normal((4, 5))
        other = np.concatenate([x[:1], 3 * x[1:]])
        return float(np.abs(code.forward(x)[0][0] - code.forward(other)[0][0]).max())

    def run(self, code: Any) -> Outcome:
        """Train on batches of 60, with layer norm on the input; then classify one by one."""
        x, labels = clusters(60, features=4)

        def gradient(step, weight):
            h, _ = code.forward(x)
            loss, dlogits = cross_entropy(h @ weight, labels)
            return loss, (h.T @ dlogits,)

        losses, (weight,) = descend(gradient, (np.zeros((4, 3)),), lr=0.5, steps=100)
        guesses = [int(np.argmax(code.forward(row[None])[0] @ weight)) for row in x]
        return Outcome(float((np.array(guesses) == labels).mean()), losses)
