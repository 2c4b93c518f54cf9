"""Mistakes in optimisers. They have no gradient of their own, so no gradient check can find them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import Entry, Outcome
from scratchgen.zoo.tools import random_generator, tail


class Adam:
    """Adam for one array: m and v are running means of the gradient and of its square."""

    beta1, beta2 = 0.9, 0.999

    def __init__(self, p):
        self.m, self.v, self.step = np.zeros_like(p), np.zeros_like(p), 0

    def start_epoch(self):
        pass                            # the counter runs on

    def corrected(self):
        t = self.step
        return self.m / (1 - self.beta1**t), self.v / (1 - self.beta2**t)

    def update(self, p, g, lr):
        self.step += 1
        self.m += (1 - self.beta1) * (g - self.m)
        self.v += (1 - self.beta2) * (g**2 - self.v)
        m, v = self.corrected()
        p -= lr * m / (np.sqrt(v) + 1e-8)


class AdamW(Adam):
    """Adam with weight decay, which is separate from the gradient."""

    def decayed(self, p, g, lr, decay):
        p -= lr * decay * p
        self.update(p, g, lr)


class Momentum:
    """Gradient descent with momentum for a list of arrays."""

    @staticmethod
    def start(parameters):
        return [np.zeros_like(p) for p in parameters]

    @classmethod
    def minimise(cls, parameters, gradients, lr, steps):
        """Apply the gradient functions, one for each array, `steps` times."""
        velocities = cls.start(parameters)
        for _ in range(steps):
            for p, gradient, velocity in zip(parameters, gradients, velocities, strict=True):
                velocity *= 0.9
                velocity += gradient(p)
                p -= lr * velocity


class Clipping:
    """Scales gradients so that their norm is at most 1."""

    @staticmethod
    def clip(gradients):
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        return [g / max(norm, 1.0) for g in gradients]


class OptimiserEntry(Entry):
    """An entry about an optimiser."""

    where = "scratchgen/training/optimisers.py"
    passes_gradient_check = None
    bound = 1e-6
    exercise = "adam"


class NoBiasCorrection(OptimiserEntry):
    title = "Adam without the bias correction"
    symptom = "The first steps are three times too large, and the loss jumps up before it falls."
    numbers = (0.0679, 1.03)
    measure = "largest loss of the first 30 steps, started near the minimum"
    apart = 0.3
    caught_by = "closed form: the first step of Adam has the length lr"
    fix = "m and v start at zero: divide by 1 − β₁ᵗ and 1 − β₂ᵗ."
    seen = "Adam written from memory; fine-tuning then destroys what was learned before"
    Right = Adam

    class Wrong(Adam):
        def corrected(self):
            return self.m, self.v

    def check(self, code: Any) -> float:
        p = np.zeros(3)
        code(p).update(p, np.array([2.0, -3.0, 0.1]), 0.01)
        return float(np.abs(np.abs(p) / 0.01 - 1).max())

    def run(self, code: Any) -> Outcome:
        p = 0.02 * random_generator().standard_normal(50)
        optimiser = code(p)
        losses = np.zeros(30)
        for step in range(len(losses)):
            losses[step] = (p**2).sum()
            optimiser.update(p, 2 * p, 0.05)
        return Outcome(float(losses.max()), losses)


class StepCounterReset(OptimiserEntry):
    title = "Adam's step counter starts again in every epoch"
    symptom = "After a few epochs the steps are too small, and training slows down from epoch to epoch."
    numbers = (5.88, 44.0)
    measure = "training loss at the end"
    apart = 10.0
    caught_by = "resume test: two epochs of 10 steps equal 20 steps"
    fix = "The counter belongs to m and v: keep all three, also in a checkpoint."
    seen = "training scripts that count the batches of the epoch, and checkpoints without the counter"
    Right = Adam

    class Wrong(Adam):
        def start_epoch(self):
            self.step = 0

    @staticmethod
    def train(code: Any, epochs: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """The losses and the final parameters of a regression with noisy batches."""
        rng = random_generator()
        p = np.zeros(20)
        optimiser = code(p)
        losses: list[float] = []
        for _ in range(epochs):
            optimiser.start_epoch()
            for _ in range(steps):
                losses.append(((p - 6) ** 2).sum())
                optimiser.update(p, 2 * (p - 6) + 2 * rng.standard_normal(20), 0.05)
        return np.array(losses), p

    def check(self, code: Any) -> float:
        return float(np.abs(self.train(code, 2, 10)[1] - self.train(code, 1, 20)[1]).max())

    def run(self, code: Any) -> Outcome:
        losses, _ = self.train(code, 10, 20)
        return Outcome(tail(losses), losses)


class DecayThroughAdam(OptimiserEntry):
    title = "weight decay is added to the gradient that Adam normalises"
    symptom = "The strength of the decay has hardly any effect, and unused weights shrink by lr in each step."
    numbers = (0.905, 0.224)
    measure = "a weight without a gradient, 1 at the start"
    y_label = "weight"
    direction = "lower"
    apart = 0.3
    caught_by = "closed form: a weight without a gradient shrinks by the factor 1 − lr·decay"
    fix = "Subtract lr·decay·p apart from Adam's step (AdamW)."
    seen = "optimisers with an L2 argument, in several frameworks before AdamW was published"
    Right = AdamW

    class Wrong(AdamW):
        def decayed(self, p, g, lr, decay):
            self.update(p, g + decay * p, lr)

    def check(self, code: Any) -> float:
        p = np.ones(3)
        code(p).decayed(p, np.zeros(3), 0.01, 0.1)
        return float(np.abs(p - 0.999).max())

    def run(self, code: Any) -> Outcome:
        p = np.ones(1)
        optimiser, course = code(p), np.zeros(100)
        for step in range(len(course)):
            course[step] = p[0]
            optimiser.decayed(p, np.zeros(1), 0.01, 0.1)
        return Outcome(float(p[0]), course)


class SharedVelocity(OptimiserEntry):
    title = "all parameters share one array of momentum: [zeros] * n"
    symptom = "Each parameter is also moved by the gradients of the others; the loss stays high or diverges."
    numbers = (0.156, 0.836)
    measure = "distance to the minimum after 60 steps"
    y_label = "distance to the minimum"
    apart = 0.1
    caught_by = "invariance: two parameters trained together end where each ends alone"
    fix = "Make an array for each parameter: [np.zeros_like(p) for p in parameters]."
    seen = "Python lists built with *, for optimiser state, hidden states and metrics"
    Right = Momentum

    class Wrong(Momentum):
        @staticmethod
        def start(parameters):
            return [np.zeros_like(parameters[0])] * len(parameters)

    @staticmethod
    def towards(goal: float) -> Any:
        """The gradient of the squared distance to `goal`."""
        return lambda p: p - goal

    def check(self, code: Any) -> float:
        together, alone = [np.zeros(2), np.zeros(2)], np.zeros(2)
        code.minimise(together, [self.towards(1), self.towards(-3)], 0.1, 5)
        code.minimise([alone], [self.towards(1)], 0.1, 5)
        return float(np.abs(together[0] - alone).max())

    def run(self, code: Any) -> Outcome:
        goals, distances = (1.0, -3.0), np.zeros(60)
        for steps in range(len(distances)):
            parameters = [np.zeros(1), np.zeros(1)]
            code.minimise(parameters, [self.towards(goal) for goal in goals], 0.05, steps)
            distances[steps] = sum(abs(float(p[0]) - goal) for p, goal in zip(parameters, goals, strict=True))
        return Outcome(float(distances[-1]), distances)


class ClippedOneByOne(OptimiserEntry):
    title = "each parameter's gradient is clipped by its own norm"
    symptom = "The clipped gradient points elsewhere: small gradients gain weight against large ones."
    numbers = (0.0, 42.0)
    measure = "angle between the gradient and the clipped one, degrees"
    y_label = "angle, degrees"
    apart = 10.0
    caught_by = "invariance: the clipped gradient is parallel to the gradient"
    x_label = "gradient"
    fix = "Use one norm over all parameters, and one factor."
    seen = "clipping inside the loop over parameters"
    Right = Clipping

    class Wrong(Clipping):
        @staticmethod
        def clip(gradients):
            return [g / max(np.sqrt((g**2).sum()), 1.0) for g in gradients]

    @staticmethod
    def angle(code: Any, gradients: list[np.ndarray]) -> float:
        """The angle in degrees."""
        a, b = np.concatenate(gradients), np.concatenate(code.clip(gradients))
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        return float(np.degrees(2 * np.arcsin(min(1.0, float(np.linalg.norm(a - b)) / 2))))

    def check(self, code: Any) -> float:
        return self.angle(code, [np.full(3, 10.0), np.full(4, 0.1)])

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        angles = [self.angle(code, [10 * rng.standard_normal(20), rng.standard_normal(5)]) for _ in range(40)]
        return Outcome(float(np.mean(angles)), np.array(angles))
