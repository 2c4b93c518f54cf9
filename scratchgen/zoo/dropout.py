"""Mistakes in dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import descend, layer_error, random_generator, squared_error, tail

KEEP = 0.5


class Dropout:
    """Sets entries to zero with probability 1 − KEEP in training, and scales the others by 1/KEEP."""

    @staticmethod
    def draw(shape, rng):
        return (rng.random(shape) < KEEP) / KEEP

    @classmethod
    def forward(cls, x, rng, training):
        if not training:
            return x, (1, rng)
        mask = cls.draw(x.shape, rng)
        return x * mask, (mask, rng)

    @classmethod
    def backward(cls, dout, cache):
        mask, rng = cache
        return (dout * mask,)


class Seeded:
    """The code with the same random numbers in every call of forward."""

    def __init__(self, code: Any) -> None:
        self.code = code
        self.backward = code.backward

    def forward(self, x):
        return self.code.forward(x, random_generator(), True)


class DropoutEntry(Entry):
    """An entry that fits data with dropout on 40 features, and evaluates without."""

    where = "scratchgen/layers/dropout.py"
    measure = "loss in evaluation at the end"
    passes_gradient_check = True
    gradcheck = "Dropout"
    exercise = "dropout"
    Right = Dropout

    def gradient_error(self, code: Any) -> float:
        return layer_error(Seeded(code), random_generator().standard_normal((4, 5)))

    def run(self, code: Any) -> Outcome:
        return self.outcome_of(self.train(code)[1])

    @staticmethod
    def outcome_of(losses: np.ndarray) -> Outcome:
        """The end of a curve, and the curve."""
        return Outcome(tail(losses), losses)

    @staticmethod
    def train(code: Any) -> tuple[np.ndarray, np.ndarray]:
        """The losses in training, with dropout, and in evaluation, without."""
        rng = random_generator()
        x = rng.standard_normal((128, 1)) + 0.5 * rng.standard_normal((128, 40))    # redundant features
        y = x.mean(axis=1)
        evaluated: list[float] = []

        def gradient(step, weight):
            evaluated.append(squared_error(code.forward(x * weight, rng, False)[0].sum(axis=1), y)[0])
            h, cache = code.forward(x * weight, rng, True)
            loss, dout = squared_error(h.sum(axis=1), y)
            (dh,) = code.backward(np.broadcast_to(dout[:, None], h.shape), cache)
            return loss, ((x * dh).sum(axis=0),)

        start = random_generator().standard_normal(40)
        losses, _ = descend(gradient, (start,), lr=0.005, steps=300)
        return losses, np.array(evaluated)


class MaskRedrawn(DropoutEntry, CaughtByGradient):
    title = "dropout's backward draws a new mask"
    symptom = "It trains, but what it minimises is the loss without dropout: the effect of dropout is lost."
    numbers = (0.0536, 9.99)
    measure = "training loss at the end"
    apart = 0.2
    passes_gradient_check = False
    fix = "Keep the mask of forward in the cache."
    seen = "layers whose backward calls the same helper as forward"

    class Wrong(Dropout):
        @classmethod
        def backward(cls, dout, cache):
            mask, rng = cache
            return (dout * cls.draw(dout.shape, rng),)

    def run(self, code: Any) -> Outcome:
        return self.outcome_of(self.train(code)[0])


class NotScaled(DropoutEntry):
    title = "dropout does not divide by the probability of keeping an entry"
    symptom = "In evaluation all activations are larger than in training, and the loss is higher."
    numbers = (0.0041, 1.82)
    apart = 0.01
    caught_by = "moment test: the mean of the output is the input"
    bound = 0.05
    fix = "Divide by KEEP in training (or multiply by KEEP in evaluation)."
    seen = "the formula of the original paper, which scales in evaluation, mixed with the usual one"

    class Wrong(Dropout):
        @staticmethod
        def draw(shape, rng):
            return (rng.random(shape) < KEEP) * 1.0

    def check(self, code: Any) -> float:
        return abs(float(code.forward(np.ones(10_000), random_generator(), True)[0].mean()) - 1)


class ActiveInEvaluation(DropoutEntry):
    title = "dropout stays active in evaluation"
    symptom = "Two predictions for the same input differ, and the test loss is too high."
    numbers = (0.0041, 0.0519)
    apart = 0.01
    caught_by = "invariance: in evaluation two predictions are the same"
    bound = 0.0
    fix = "Pass training on to every layer, and return the input if it is False."
    seen = "sampling and test code that does not switch to evaluation"

    class Wrong(Dropout):
        @classmethod
        def forward(cls, x, rng, training):
            mask = cls.draw(x.shape, rng)
            return x * mask, (mask, rng)

    def check(self, code: Any) -> float:
        rng = random_generator()
        first, second = (code.forward(np.ones(50), rng, False)[0] for _ in range(2))
        return float(np.abs(first - second).max())
