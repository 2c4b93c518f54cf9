"""Mistakes in GANs and in the gradient penalty of a WGAN.

The GAN has one number to learn: the generator adds theta to noise, and the data are N(3, 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import Array, descend, loss_error, random_generator, sigmoid

DATA_MEAN = 3.0


def softplus(logits: Array) -> Array:
    """log(1 + eˡ)."""
    return np.logaddexp(0, logits)


class Game:
    """The generator x = z + theta, a discriminator with logits a·x + b, and the losses of both."""

    @staticmethod
    def discriminator_loss(real, fake):
        loss = softplus(-real).mean() + softplus(fake).mean()
        return loss, (-sigmoid(-real) / len(real), sigmoid(fake) / len(fake))

    @staticmethod
    def generator_loss(theta, z, a, b):
        logits = a * (z + theta) + b
        dlogits = -sigmoid(-logits) / len(z)
        dfake = a * dlogits
        return softplus(-logits).mean(), (dfake.sum(keepdims=True),)


class Penalty:
    """The mean of (‖g‖ − 1)² over examples, for input gradients g (N, D)."""

    @staticmethod
    def loss(g):
        norm = np.sqrt((g**2).sum(axis=1, keepdims=True))
        return ((norm - 1) ** 2).mean(), (2 * (norm - 1) * g / norm / len(g),)


class Critic:
    """A linear critic x·w: the difference of its means, and 10·(‖w‖ − 1)², as w is its input gradient."""

    @staticmethod
    def loss(w, real, fake):
        norm = np.sqrt((w**2).sum())
        loss = (fake @ w).mean() - (real @ w).mean() + 10 * (norm - 1) ** 2
        dw = fake.mean(axis=0) - real.mean(axis=0)
        return loss, (dw + 20 * (norm - 1) * w / norm,)


class Between:
    """Points between real and generated images, at which the penalty is computed."""

    @staticmethod
    def between(real, fake, rng):
        u = rng.random((len(real), 1))
        return u * real + (1 - u) * fake


def play(code: Any, *, start: float = 0.0, slope: float = 0.1, steps: int = 300) -> Outcome:
    """Train both players; the number is the distance of the generator's mean from that of the data."""
    rng = random_generator()
    theta, a, b, distances = np.zeros(1), slope, start, np.zeros(steps)
    for step in range(steps):
        z, real = rng.standard_normal(64), DATA_MEAN + rng.standard_normal(64)
        fake = z + theta
        _, (dreal, dfake) = code.discriminator_loss(a * real + b, a * fake + b)
        _, (dtheta,) = code.generator_loss(theta, z, a, b)
        a -= 0.1 * ((real * dreal).sum() + (fake * dfake).sum() + a)     # a·1: decay, which damps the game
        b -= 0.1 * (dreal.sum() + dfake.sum())
        theta -= 0.3 * dtheta
        distances[step] = abs(theta[0] - DATA_MEAN)
    return Outcome(float(distances[-20:].mean()), distances)


class GameEntry(Entry):
    """An entry about the losses of the two players."""

    measure = "distance of the generated mean from the data"
    y_label = "distance from the data"
    where = "scratchgen/models/gan/game.py"
    apart = 0.5
    gradcheck = "GAN"
    exercise = "gan"
    Right = Game

    def gradient_error(self, code: Any) -> float:
        z, real, fake = random_generator().standard_normal((3, 6))
        of_generator = loss_error(code.generator_loss, np.array([0.4]), fixed=(z, 1.3, -0.2))
        return max(of_generator, loss_error(code.discriminator_loss, real, fake))

    def run(self, code: Any) -> Outcome:
        return play(code)


class GeneratorDetached(GameEntry, CaughtByGradient):
    title = "the generator's loss uses a copy of its samples, so no gradient reaches it"
    symptom = "The discriminator wins, and the generator's samples never change."
    numbers = (0.0867, 3.0)
    fix = "Only the discriminator's step may cut the path: the generator's needs dx of the discriminator."
    seen = "training loops that reuse the detached samples of the discriminator's step"

    class Wrong(Game):
        @staticmethod
        def generator_loss(theta, z, a, b):
            logits = a * (z + theta) + b
            dfake = np.zeros_like(z)
            return softplus(-logits).mean(), (dfake.sum(keepdims=True),)


class LabelsSwapped(GameEntry):
    title = "the discriminator learns real as 0 and generated as 1"
    symptom = "The discriminator's loss is fine, but the generator moves away from the data."
    numbers = (0.0867, 9.09)
    caught_by = "closed form: logits of +20 for real and −20 for generated images cost nothing"
    bound = 1e-6
    passes_gradient_check = True
    fix = "Both losses need the same labels: real is 1, and the generator wants 1 for its images."
    seen = "GAN code where the labels of the two steps come from different examples"

    class Wrong(Game):
        @staticmethod
        def discriminator_loss(real, fake):
            loss = softplus(real).mean() + softplus(-fake).mean()
            return loss, (sigmoid(real) / len(real), -sigmoid(-fake) / len(fake))

    def check(self, code: Any) -> float:
        return float(code.discriminator_loss(np.array([20.0]), np.array([-20.0]))[0])


class SaturatingLoss(GameEntry):
    title = "the generator minimises log(1 − D), which is flat where D is certain"
    symptom = "If the discriminator is ahead, the generator's gradient is almost zero: it never catches up."
    numbers = (1.68, 2.91)
    caught_by = "closed form: for D = σ(−10) the gradient of the logit is −1 to 0.01 %"
    bound = 1e-3
    passes_gradient_check = True
    fix = "Minimise −log D instead: the same goal, with a gradient where it is needed."
    seen = "implementations of the minimax formula as it is printed"

    class Wrong(Game):
        @staticmethod
        def generator_loss(theta, z, a, b):
            logits = a * (z + theta) + b
            dlogits = -sigmoid(logits) / len(z)
            dfake = a * dlogits
            return -softplus(logits).mean(), (dfake.sum(keepdims=True),)

    def check(self, code: Any) -> float:
        return abs(float(code.generator_loss(0.0, np.zeros(1), 1.0, -10.0)[1][0][0]) + 1)

    def run(self, code: Any) -> Outcome:
        return play(code, slope=4.0, start=-8.0, steps=15)


class PenaltyPerPixel(Entry):
    title = "the gradient penalty takes the size of each pixel's gradient, not the norm of the image's"
    symptom = "The critic's slope is about √D where it should be 1, and the estimated distance is too large."
    numbers = (1.05, 4.77)
    measure = "norm of the critic's input gradient, 16 pixels"
    y_label = "norm of the input gradient"
    apart = 1.0
    caught_by = "closed form: a gradient of norm 1 has no penalty"
    bound = 1e-12
    passes_gradient_check = True
    fix = "The norm is over all axes of an image, the mean over the batch."
    seen = "an issue of a collection of GANs: norm over the wrong axis"
    where = "scratchgen/models/gan/gradient_penalty.py"
    gradcheck = "WGAN"
    exercise = "wgan-gp"
    Right = Penalty

    class Wrong(Penalty):
        @staticmethod
        def loss(g):
            size = np.abs(g)
            return ((size - 1) ** 2).mean(), (2 * (size - 1) * np.sign(g) / g.size,)

    def gradient_error(self, code: Any) -> float:
        return loss_error(code.loss, random_generator().standard_normal((4, 3)) + 0.01)

    def check(self, code: Any) -> float:
        return float(code.loss(np.full((2, 16), 0.25))[0])

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        difference = np.full(16, 0.25)
        norms: list[Any] = []

        def gradient(step, w):
            norms.append(np.linalg.norm(w))
            penalty, (dg,) = code.loss(np.tile(w, (32, 1)))      # the input gradient of x·w is w
            return -difference @ w + 10 * penalty, (-difference + 10 * dg.sum(axis=0),)

        descend(gradient, (0.1 * rng.random(16),), lr=0.02, steps=200)
        return Outcome(float(norms[-1]), np.array(norms))


class PenaltyNotDifferentiated(CaughtByGradient):
    title = "the gradient penalty is added to the loss, but not to the gradient"
    symptom = "The penalty is reported and has no effect: the critic's slope grows without end."
    numbers = (1.1, 8.36)
    measure = "norm of the critic's input gradient"
    y_label = "norm of the input gradient"
    apart = 1.0
    fix = "The penalty contains an input gradient; its own gradient needs a second backward pass."
    seen = "a penalty function that is never called, or an input gradient that was taken as a constant"
    where = "scratchgen/models/gan/gradient_penalty.py"
    gradcheck = "WGAN"
    exercise = "wgan-gp"
    Right = Critic

    class Wrong(Critic):
        @staticmethod
        def loss(w, real, fake):
            norm = np.sqrt((w**2).sum())
            loss = (fake @ w).mean() - (real @ w).mean() + 10 * (norm - 1) ** 2
            dw = fake.mean(axis=0) - real.mean(axis=0)
            return loss, (dw,)

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        real, fake = rng.standard_normal((2, 5, 3))
        return loss_error(code.loss, rng.standard_normal(3), fixed=(real, fake))

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        real, fake = rng.standard_normal((64, 4)) + 1, rng.standard_normal((64, 4))
        norms: list[Any] = []

        def gradient(step, w):
            norms.append(np.linalg.norm(w))
            return code.loss(w, real, fake)

        descend(gradient, (0.1 * rng.standard_normal(4),), lr=0.02, steps=200)
        return Outcome(float(norms[-1]), np.array(norms))


class InterpolationPerPixel(Entry):
    title = "the gradient penalty mixes real and generated images with a factor for each pixel"
    symptom = "The penalty acts in a box around the line between two images, and not on the line."
    numbers = (0.0, 0.0952)
    measure = "detour over the point, against the straight line"
    apart = 0.01
    caught_by = "geometry: |x − real| + |x − generated| = |real − generated|"
    bound = 1e-9
    passes_gradient_check = None
    fix = "Draw one factor for each image, of shape (N, 1), and let it broadcast."
    seen = "WGAN-GP code with rand_like(real)"
    where = "scratchgen/models/gan/wgan.py"
    gradcheck = "WGAN"
    exercise = "wgan-gp"
    Right = Between

    class Wrong(Between):
        @staticmethod
        def between(real, fake, rng):
            u = rng.random(real.shape)
            return u * real + (1 - u) * fake

    @staticmethod
    def detour(code: Any, features: int) -> tuple[float, Array]:
        """How much longer the way over the points is, relative; and the points, (N, features)."""
        real, fake = np.full((200, features), 1.0), np.full((200, features), -1.0)
        x = code.between(real, fake, random_generator())
        legs = np.linalg.norm(x - real, axis=1) + np.linalg.norm(x - fake, axis=1)
        return float((legs / np.linalg.norm(real - fake, axis=1) - 1).mean()), x

    def check(self, code: Any) -> float:
        return abs(self.detour(code, 5)[0])

    def run(self, code: Any) -> Outcome:
        longer, points = self.detour(code, 2)
        return Outcome(longer, sample=points)
