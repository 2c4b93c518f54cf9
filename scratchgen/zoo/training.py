"""Mistakes in the training loop, around layers and losses that are right."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from scratchgen.zoo.entry import Entry, Outcome
from scratchgen.zoo.tools import clusters, cross_entropy, descend, loss_error, random_generator, tail


class Loop:
    """One step of gradient descent; backward adds its result `new` to the gradient g."""

    @staticmethod
    def step(weight, g, new, lr):
        g[...] = 0
        g += new
        weight -= lr * g


class MeanLoss:
    """The squared error, averaged over the batch."""

    @staticmethod
    def loss(pred, target):
        diff = pred - target
        return (diff**2).sum() / len(pred), (2 / len(pred) * diff,)


class Average:
    """The loss of an epoch from the mean losses of its batches and their sizes."""

    @staticmethod
    def of_epoch(losses, sizes):
        return (losses * sizes).sum() / sizes.sum()


class Shuffle:
    """A new order for an epoch."""

    @staticmethod
    def shuffled(x, y, rng):
        order = rng.permutation(len(x))
        return x[order], y[order]


class Best:
    """What early stopping keeps of the best step."""

    @staticmethod
    def keep(weight):
        return weight.copy()


class TrainingEntry(Entry):
    """An entry about the loop, which has no gradient of its own."""

    where = "scratchgen/training/loop.py"
    passes_gradient_check: ClassVar[bool | None] = None
    bound = 1e-12
    measure = "training loss at the end"


class GradientsNotZeroed(TrainingEntry):
    title = "the gradients are not set to zero between steps"
    symptom = "The first step is right. Later ones add all old gradients, so the loss swings."
    numbers = (0.0, 1.55)
    apart = 0.5
    caught_by = "step test: the second step uses the gradient of the second batch alone"
    fix = "Call zero_grad() once per step, before backward."
    seen = "learners' loops in every framework whose gradients add up"
    where = "scratchgen/training/step.py"
    Right = Loop

    class Wrong(Loop):
        @staticmethod
        def step(weight, g, new, lr):
            g += new
            weight -= lr * g

    def check(self, code: Any) -> float:
        weight, g = np.zeros(2), np.zeros(2)
        code.step(weight, g, np.array([1.0, 2.0]), 0.1)
        before = weight.copy()
        code.step(weight, g, np.array([-3.0, 5.0]), 0.1)
        return float(np.abs(weight - before - [0.3, -0.5]).max())

    def run(self, code: Any) -> Outcome:
        weight, g, losses = np.zeros(3), np.zeros(3), np.zeros(100)
        for step in range(len(losses)):
            losses[step] = ((weight - 1) ** 2).sum()
            code.step(weight, g, 2 * (weight - 1), 0.05)
        return Outcome(tail(losses), losses)


class SumOverBatch(TrainingEntry):
    title = "the loss is summed over the batch in place of averaged"
    symptom = "A learning rate that works for the mean diverges, and the larger the batch, the sooner."
    numbers = (0.000726, math.inf)
    apart = 1.0
    caught_by = "invariance: a batch that holds every example twice has the same gradient per example"
    passes_gradient_check = True
    fix = "Average over the batch and sum over features, in every loss alike."
    seen = "threads that ask whether a loss is a sum or a mean"
    where = "scratchgen/losses.py"
    gradcheck = "squared_error"
    exercise = "squared-error"
    Right = MeanLoss

    class Wrong(MeanLoss):
        @staticmethod
        def loss(pred, target):
            diff = pred - target
            return (diff**2).sum(), (2 * diff,)

    def gradient_error(self, code: Any) -> float:
        pred, target = random_generator().standard_normal((2, 5, 2))
        return loss_error(code.loss, pred, fixed=(target,))

    def check(self, code: Any) -> float:
        pred, target = random_generator().standard_normal((2, 5, 2))
        once = code.loss(pred, target)[0]
        return abs(float(code.loss(np.tile(pred, (2, 1)), np.tile(target, (2, 1)))[0] / once - 1))

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        x = rng.standard_normal((64, 3))
        y = x @ rng.standard_normal((3, 2))

        def gradient(step, weight):
            _, (dout,) = code.loss(x @ weight, y)
            return MeanLoss.loss(x @ weight, y)[0], (x.T @ dout,)

        losses, _ = descend(gradient, (np.zeros((3, 2)),), lr=0.1, steps=30)
        return Outcome(tail(losses), losses)


class MeanOfMeans(TrainingEntry):
    title = "the loss of an epoch is the plain mean of its batches' means"
    symptom = "The reported loss differs from the true one, and changes with the batch size."
    numbers = (0.0, 0.0344)
    measure = "error of the reported loss for batches of 32 and a rest"
    apart = 0.01
    caught_by = "closed form: the mean over all examples"
    x_label = "number of examples"
    y_label = "error of the reported loss"
    fix = "Weight each batch by its size: the last one may be smaller."
    seen = "training loops with total / len(loader)"
    Right = Average

    class Wrong(Average):
        @staticmethod
        def of_epoch(losses, sizes):
            return losses.mean()

    @staticmethod
    def error(code: Any, n: int) -> float:
        """How far the loss of an epoch is from the mean over its n examples."""
        each = random_generator().exponential(size=n)
        batches = [each[i : i + 32] for i in range(0, n, 32)]
        losses, sizes = np.array([b.mean() for b in batches]), np.array([len(b) for b in batches])
        return abs(float(code.of_epoch(losses, sizes) - each.mean()))

    def check(self, code: Any) -> float:
        return self.error(code, 65)

    def run(self, code: Any) -> Outcome:
        counts = np.arange(33, 130)
        errors = np.array([self.error(code, n) for n in counts.tolist()])
        return Outcome(float(errors.mean()), errors, x=counts)


class ShuffledApart(TrainingEntry):
    title = "inputs and labels are shuffled independently"
    symptom = "The loss stays at log K and the accuracy at chance, although every gradient is right."
    numbers = (0.0342, 1.1)
    apart = 0.5
    caught_by = "pair test: every input keeps its label"
    fix = "Draw one order, and use it for both."
    seen = "data pipelines that call shuffle once for x and once for y"
    where = "scratchgen/data/batches.py"
    Right = Shuffle

    class Wrong(Shuffle):
        @staticmethod
        def shuffled(x, y, rng):
            return rng.permutation(x), rng.permutation(y)

    def check(self, code: Any) -> float:
        x, y = code.shuffled(np.arange(20.0)[:, None], np.arange(20), random_generator())
        return float(np.abs(x[:, 0] - y).max())

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        x, labels = clusters(96)

        def gradient(step, weight):
            a, b = code.shuffled(x, labels, rng)
            loss, dlogits = cross_entropy(a @ weight, b)
            return loss, (a.T @ dlogits,)

        losses, _ = descend(gradient, (np.zeros((2, 3)),), lr=0.5, steps=100)
        return Outcome(tail(losses), losses)


class BestByReference(TrainingEntry):
    title = "early stopping keeps a reference to the weights, not a copy"
    symptom = "The 'best' weights are those of the last step."
    numbers = (0.000665, 1440.0)
    measure = "loss of the weights that were kept"
    apart = 0.1
    caught_by = "copy test: a later step does not change what was kept"
    fix = "Copy: the optimiser changes the array in place."
    seen = "callbacks with best = model.weights or best = model.state_dict()"
    where = "scratchgen/training/callbacks.py"
    Right = Best

    class Wrong(Best):
        @staticmethod
        def keep(weight):
            return weight

    def check(self, code: Any) -> float:
        weight = np.ones(3)
        kept = code.keep(weight)
        weight += 1
        return float(np.abs(kept - 1).max())

    def run(self, code: Any) -> Outcome:
        """Gradient descent that comes near the minimum and then leaves it, because the rate was raised."""
        weight, kept, losses = np.array([2.0, -1.0]), np.zeros(2), np.zeros(60)
        for step in range(len(losses)):
            losses[step] = (weight**2).sum()
            if losses[step] == losses[: step + 1].min():
                kept = code.keep(weight)
            weight -= (0.1 if step < 20 else 1.1) * 2 * weight
        return Outcome(float((kept**2).sum()), losses)
