"""Mistakes with padded sequences: the mask of attention, empty sequences, and the mean of a loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import Entry, Outcome
from scratchgen.zoo.tools import (
    Array,
    adam,
    layer_error,
    loss_error,
    random_generator,
    softmax,
    squared_error,
    tail,
)

LENGTH = 8


class Padded:
    """Attention to the first n of T positions: scores (T, T), values (T, M). The others are padding."""

    least = -1e9                        # the score of a position that is not seen

    @staticmethod
    def allowed(length, n):
        return np.tile(np.arange(length) < n, (length, 1))      # (query, key)

    @classmethod
    def forward(cls, scores, v, n):
        seen = cls.allowed(len(scores), n)
        p = softmax(np.where(seen, scores, cls.least))
        return p @ v, (v, p, seen)

    @staticmethod
    def backward(dout, cache):
        v, p, seen = cache
        dp = dout @ v.T
        dscores = p * (dp - (dp * p).sum(axis=1, keepdims=True))
        return np.where(seen, dscores, 0), p.T @ dout


class PaddedLoss:
    """The squared error of padded sequences, pred and target (N, T), averaged over all real steps."""

    @staticmethod
    def count(real):
        return real.sum()

    @classmethod
    def loss(cls, pred, target, lengths):
        real = np.arange(pred.shape[1]) < lengths[:, None]
        diff = np.where(real, pred - target, 0)
        n = cls.count(real)
        return (diff**2).sum() / n, (2 / n * diff,)


class PaddedEntry(Entry):
    """An entry about sequences of n positions that are padded to 8: each output should be their mean."""

    where = "scratchgen/zoo/padding.py"
    passes_gradient_check = True
    measure = "training loss at the end"
    shortest = 1
    gradcheck = "SelfAttention"
    exercise = "attention"
    Right = Padded

    def gradient_error(self, code: Any) -> float:
        scores, v = np.split(random_generator().standard_normal((5, 7)), [5], axis=1)

        class Fixed:
            backward = code.backward

            @staticmethod
            def forward(scores, v):
                return code.forward(scores, v, 3)

        return layer_error(Fixed, scores, v)

    def losses(self, code: Any) -> Array:
        """The losses of training, in steps with sequences of different lengths."""
        rng = random_generator()

        def gradient(step, scores, scale):
            n = rng.integers(self.shortest, LENGTH + 1)
            v, used = rng.standard_normal((LENGTH, 200)), max(n, 1)
            out, cache = code.forward(scores, scale * v, n)
            loss, dused = squared_error(out[:used], v[:n].sum(axis=0, keepdims=True) / used)
            dout = np.zeros_like(out)
            dout[:used] = dused
            dscores, dv = code.backward(dout, cache)
            return loss / 200, (dscores, (dv * v).sum())

        losses, _ = adam(gradient, (rng.standard_normal((LENGTH, LENGTH)), 0.5), lr=0.05, steps=150)
        return losses

    def run(self, code: Any) -> Outcome:
        losses = self.losses(code)
        return Outcome(tail(losses), losses)


class PaddingMaskTransposed(PaddedEntry):
    title = "the padding mask hides queries in place of keys"
    symptom = "Every position mixes in the padding: an output depends on how far its sequence was padded."
    numbers = (9.16e-06, 0.096)
    apart = 0.05
    caught_by = "invariance: other values in the padding change no output of the sequence"
    bound = 1e-12
    fix = "Hide the columns, the keys. Rows of padding may see what they like: the loss leaves them out."
    seen = "masks (N, T) that broadcast along the wrong axis of the scores (N, T, T)"

    class Wrong(Padded):
        @staticmethod
        def allowed(length, n):
            return np.tile(np.arange(length) < n, (length, 1)).T

    def check(self, code: Any) -> float:
        scores, v, other = random_generator().standard_normal((3, 5, 5))
        other[:3] = v[:3]
        return float(np.abs(code.forward(scores, v, 3)[0] - code.forward(scores, other, 3)[0])[:3].max())


class EmptySequence(PaddedEntry):
    title = "a row of scores is all −∞, and its softmax is NaN"
    symptom = "One empty sequence in a batch, and from that step on all weights are NaN."
    numbers = (0.0, 0.953)
    measure = "share of training steps whose loss is not finite"
    apart = 0.2
    caught_by = "extreme input: a sequence without a position has finite outputs"
    bound = 0.0
    fix = "Use a large negative number, or leave out sequences that are empty."
    seen = "masks with −inf, and batches whose last sequences are only padding"
    shortest = 0

    class Wrong(Padded):
        least = -np.inf

    def check(self, code: Any) -> float:
        scores, v = random_generator().standard_normal((2, 5, 5))
        return float((~np.isfinite(code.forward(scores, v, 0)[0])).sum())

    def run(self, code: Any) -> Outcome:
        losses = self.losses(code)
        return Outcome(float((~np.isfinite(losses)).mean()), losses)


class PaddingInMean(Entry):
    title = "the loss of padded sequences is divided by N·T, padding included"
    symptom = "Batches with short sequences report a loss that is too small, and have too small a gradient."
    numbers = (1.0, 0.125)
    measure = "loss for one real step in eight, if each step costs 1"
    direction = "lower"
    apart = 0.5
    caught_by = "invariance: more padding does not change the loss"
    bound = 1e-12
    passes_gradient_check = True
    x_label = "steps after padding"
    fix = "Divide by the number of real steps, the sum of the lengths."
    seen = "losses that multiply by a mask and then take the mean"
    where = "scratchgen/zoo/padding.py"
    gradcheck = "squared_error"
    exercise = "squared-error"
    Right = PaddedLoss

    class Wrong(PaddedLoss):
        @staticmethod
        def count(real):
            return real.size

    def gradient_error(self, code: Any) -> float:
        pred, target = random_generator().standard_normal((2, 3, 4))
        return loss_error(code.loss, pred, fixed=(target, np.array([1, 4, 2])))

    def check(self, code: Any) -> float:
        pred, target = random_generator().standard_normal((2, 3, 4))
        longer = (np.pad(a, ((0, 0), (0, 3))) for a in (pred, target))
        lengths = np.array([1, 4, 2])
        return abs(float(code.loss(*longer, lengths)[0] / code.loss(pred, target, lengths)[0] - 1))

    def run(self, code: Any) -> Outcome:
        steps = np.arange(1, 9)
        losses = np.array([code.loss(np.ones((2, t)), np.zeros((2, t)), np.ones(2))[0] for t in steps])
        return Outcome(float(losses[-1]), losses, x=steps)
