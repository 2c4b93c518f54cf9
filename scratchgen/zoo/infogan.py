"""Mistakes in the bound of InfoGAN on the information between a code and the generated example.

One of three categories moves a point in the plane, and Q reads the category from the point. In place of a
discriminator, a penalty keeps the points near the origin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import Array, adam, loss_error, random_generator, softmax, tail

CATEGORIES, WEIGHT, PENALTY = 3, 1.0, 0.1


class Informed:
    """The generator x = z + onehot(c)·W, the outputs q = x·V of Q, and the bound L = H(c) + E[log Q]."""

    @staticmethod
    def log_q(q, c):
        n = np.arange(len(c))
        p = softmax(q)
        dq = -p
        dq[n, c] += 1
        return np.log(p[n, c]).mean(), dq / len(c)

    @staticmethod
    def objective(bound, dbound):
        return -WEIGHT * bound, -WEIGHT * dbound    # minimised by G and by Q

    @staticmethod
    def to_generator(dfake, dfake_of_q):
        return dfake + dfake_of_q               # x is the input of D and of Q

    @classmethod
    def players(cls, W, V, z, c):
        """G's loss, L, and the gradients of W for G and of V for Q."""
        onehot = np.eye(CATEGORIES)[c]
        fake = z + onehot @ W
        log_q, dlog_q = cls.log_q(fake @ V, c)
        bound = np.log(CATEGORIES) + log_q
        loss, dq = cls.objective(bound, dlog_q)
        penalty, dfake = 0.5 * PENALTY * (fake**2).sum() / len(fake), PENALTY * fake / len(fake)
        dW = onehot.T @ cls.to_generator(dfake, dq @ V.T)
        return penalty + loss, bound, dW, fake.T @ dq


def train(code: Any) -> Array:
    """L in each of 200 steps, in which G and Q learn together."""
    rng = random_generator()
    bounds: list[float] = []

    def gradient(step, W, V):
        z, c = 0.5 * rng.standard_normal((64, 2)), rng.integers(CATEGORIES, size=64)
        loss, bound, dW, dV = code.players(W, V, z, c)
        bounds.append(bound)
        return loss, (dW, dV)

    start = 0.1 * rng.standard_normal((CATEGORIES, 2)), 0.1 * rng.standard_normal((2, CATEGORIES))
    adam(gradient, start, lr=0.03, steps=200)
    return np.array(bounds)


class InformedEntry(Entry):
    """An entry about the bound; the number is L at the end, which is at most log 3."""

    measure = "L at the end, in nats; log 3 = 1.1 is the most"
    y_label = "L, nats"
    apart = 0.3
    passes_gradient_check = True
    where = "scratchgen/models/gan/info.py"
    gradcheck = "InfoGAN"
    exercise = "info-gan"
    Right = Informed

    def gradient_error(self, code: Any) -> float:
        """The error of G's gradient."""
        rng = random_generator()
        z, c = rng.standard_normal((5, 2)), np.array([0, 2, 1, 1, 0])
        W, V = rng.standard_normal((CATEGORIES, 2)), rng.standard_normal((2, CATEGORIES))

        def loss(W):
            total, _, dW, _ = code.players(W, V, z, c)
            return total, (dW,)

        return loss_error(loss, W)

    def run(self, code: Any) -> Outcome:
        bounds = train(code)
        return Outcome(tail(bounds), bounds)


class BoundNotGivenToGenerator(CaughtByGradient, InformedEntry):
    title = "the bound trains Q alone: its gradient at the image is not added to the generator's"
    symptom = "Q learns and L stays near 0: the generator has no reason to show the code."
    numbers = (1.05, -0.00333)
    direction = "lower"
    fix = "The image is the input of D and of Q, so its gradient is the sum of both."
    seen = "issues of InfoGAN projects about which networks the bound trains"

    class Wrong(Informed):
        @staticmethod
        def to_generator(dfake, dfake_of_q):
            return dfake


class SoftmaxOfCodeForgotten(InformedEntry):
    title = "the outputs of Q are taken for the log-probabilities of the category"
    symptom = "L rises above the entropy of the code, which no distribution Q allows, and has no maximum."
    numbers = (1.05, 126.0)
    caught_by = "closed form: three equal outputs give log Q = −log 3"
    bound = 1e-12
    fix = "log Q is the output minus the log-sum-exp of all outputs: a cross-entropy of logits."
    seen = "losses that expect log-probabilities, given the output of a linear layer"

    class Wrong(Informed):
        @staticmethod
        def log_q(q, c):
            n = np.arange(len(c))
            dq = np.zeros_like(q)
            dq[n, c] = 1
            return q[n, c].mean(), dq / len(c)

    def check(self, code: Any) -> float:
        log_q, _ = code.log_q(np.full((2, CATEGORIES), 5.0), np.array([0, 2]))
        return abs(float(log_q) + np.log(CATEGORIES))


class BoundWithWrongSign(InformedEntry):
    title = "the bound is added to both losses in place of subtracted"
    symptom = "L falls below 0 without end: Q learns to name a wrong category with certainty."
    numbers = (1.05, -253.0)
    direction = "lower"
    caught_by = "closed form: a Q that is certain and right has the loss −λ·H(c)"
    bound = 1e-6
    fix = "L is maximised, so it is subtracted from a loss: loss − λ·L, with −log Q as a cross-entropy."
    seen = "issues of InfoGAN projects about the sign of the bound and of its cross-entropy"

    class Wrong(Informed):
        @staticmethod
        def objective(bound, dbound):
            return WEIGHT * bound, WEIGHT * dbound

    def check(self, code: Any) -> float:
        c = np.array([0, 2])
        log_q, dlog_q = code.log_q(40 * np.eye(CATEGORIES)[c], c)
        loss, _ = code.objective(np.log(CATEGORIES) + log_q, dlog_q)
        return abs(float(loss) + WEIGHT * np.log(CATEGORIES))
