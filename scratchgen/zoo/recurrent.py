"""Mistakes in an LSTM: its gates, what it carries from step to step, and the lengths of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import (
    Array,
    adam,
    layer_error,
    random_generator,
    sigmoid,
    squared_error,
    tail,
)

STEPS, HIDDEN = 20, 4


class LSTM:
    """N sequences of T steps: x (T, N, D), W (D, 4, H), U (H, 4, H), b (4, H). The gates are i, f, g, o.

    The result of forward is the state (h, c) after the last step of each sequence.
    """

    @staticmethod
    def add_bias(a, b):
        return a + b                            # (N, 4, H) and (4, H)

    @staticmethod
    def bias_gradient(da):
        return da.sum(axis=0)

    @staticmethod
    def active(t, lengths):
        return (t < lengths)[:, None]           # the steps are 0 … T − 1

    @staticmethod
    def cell(a, c):
        i, f, g, o = a.swapaxes(0, 1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        after = f * c + i * g
        return o * np.tanh(after), after, (i, f, g, o, c, np.tanh(after))

    @staticmethod
    def cell_backward(dh, dc, cache):
        i, f, g, o, c, tanh_c = cache
        dc = dc + dh * o * (1 - tanh_c**2)      # c is in h, and in the next c
        di, df, dg, do = dc * g, dc * c, dc * i, dh * tanh_c
        slopes = i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)
        da = np.stack([di, df, dg, do], axis=1) * np.stack(slopes, axis=1)
        return da, dc * f

    @staticmethod
    def state_gradient(dh, dc):
        return dh, dc                           # to what made the first state

    @classmethod
    def forward(cls, x, W, U, b, h, c, lengths):
        steps: list[Any] = []
        for t, x_t in enumerate(x):
            a = cls.add_bias(np.tensordot(x_t, W, 1) + np.tensordot(h, U, 1), b)
            on = cls.active(t, lengths)
            h_after, c_after, cache = cls.cell(a, c)
            steps.append((on, x_t, h, cache))
            h, c = np.where(on, h_after, h), np.where(on, c_after, c)
        return h, c, (W, U, steps)

    @classmethod
    def backward(cls, dh, dc, cache):
        """The gradients of W, U, b and of the first h and c."""
        W, U, steps = cache
        dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(W.shape[1:])
        for on, x_t, h, cell in reversed(steps):
            da, dc_before = cls.cell_backward(dh * on, dc * on, cell)
            dW += np.tensordot(x_t, da, ([0], [0]))
            dU += np.tensordot(h, da, ([0], [0]))
            db += cls.bias_gradient(da)
            dh = np.where(on, 0, dh) + np.tensordot(da, U, ([1, 2], [1, 2]))
            dc = np.where(on, dc_before, dc)
        return dW, dU, db, *cls.state_gradient(dh, dc)


def weights(rng: np.random.Generator, features: int, hidden: int) -> list[Array]:
    """W, U and b, with a bias of 1 at the forget gate."""
    b = np.zeros((4, hidden))
    b[1] = 1
    return [rng.standard_normal((rows, 4, hidden)) / 2 for rows in (features, hidden)] + [b]


def train(code: Any, x: Array, y: Array, lengths: Array, *, z: Array | None = None) -> Array:
    """The losses of learning y (N, 1) from the last h. The first h is z·E, E learned, too; 0 without z."""
    rng = random_generator()
    z = np.zeros((len(y), 1)) if z is None else z
    start = [*weights(rng, x.shape[2], HIDDEN), rng.standard_normal((HIDDEN, 1))]
    start.append(rng.standard_normal((z.shape[1], HIDDEN)) / 2)

    def gradient(step, W, U, b, last, E):
        h, c, cache = code.forward(x, W, U, b, z @ E, np.zeros((len(y), HIDDEN)), lengths)
        loss, dpred = squared_error(h @ last, y)
        *dweights, dh, _ = code.backward(dpred @ last.T, np.zeros_like(c), cache)
        return loss, (*dweights, h.T @ dpred, z.T @ dh)

    losses, _ = adam(gradient, start, lr=0.03, steps=120)
    return losses


def first_number(n: int = 64) -> tuple[Array, Array, Array]:
    """Sequences that begin with −1 or 1, which is to be remembered through noise: x, y and lengths."""
    rng = random_generator()
    x = 0.3 * rng.standard_normal((STEPS, n, 1))
    x[0] = rng.choice([-1.0, 1.0], (n, 1))
    return x, x[0], np.full(n, STEPS)


class LSTMEntry(Entry):
    """An entry about an LSTM that has to remember the first number of a sequence."""

    where = "scratchgen/layers/lstm.py"
    passes_gradient_check = True
    measure = "training loss at the end"
    gradcheck = "LSTM"
    exercise = "lstm"
    Right = LSTM

    def gradient_error(self, code: Any) -> float:
        """The error of the gradients of W, U and b, with the sequence as long as its padding."""
        return self.error(code, slice(0, 3))

    def error(self, code: Any, which: slice) -> float:
        """The same for the arrays of this slice of (W, U, b, h, c)."""
        rng = random_generator()
        x, lengths = rng.standard_normal((4, 3, 2)), np.array([4, 4, 4])
        arrays = [*weights(rng, 2, 2), *rng.standard_normal((2, 3, 2))]

        class Layer:
            @staticmethod
            def forward(*some):
                given = [*arrays]
                given[which] = some
                h, c, cache = code.forward(x, *given, lengths)
                return np.stack([h, c]), cache

            @staticmethod
            def backward(dout, cache):
                return code.backward(*dout, cache)[which]

        return layer_error(Layer, *arrays[which])

    def losses(self, code: Any) -> Array:
        """The training losses."""
        return train(code, *first_number())

    def run(self, code: Any) -> Outcome:
        losses = self.losses(code)
        return Outcome(tail(losses), losses)


class GatesShareBias(LSTMEntry):
    title = "the four gates of an LSTM share one bias"
    symptom = "Training is slower: a bias that opens the forget gate opens the other gates, too."
    numbers = (0.035, 0.191)
    measure = "mean training loss over 120 steps"
    apart = 0.05
    caught_by = "closed form: with f = 1 and i = 0 from the bias, the cell keeps c"
    bound = 1e-6
    fix = "One bias for each gate: (4, H), or (4H,) for gates side by side."
    seen = "an issue of a NumPy library, and code that passes the same array b to all four gates"

    class Wrong(LSTM):
        @staticmethod
        def add_bias(a, b):
            return a + b[0]

        @staticmethod
        def bias_gradient(da):
            db = np.zeros(da.shape[1:])
            db[0] = da.sum(axis=(0, 1))
            return db

    def run(self, code: Any) -> Outcome:
        losses = self.losses(code)
        return Outcome(float(losses.mean()), losses)

    def check(self, code: Any) -> float:
        c = random_generator().standard_normal((3, 2))
        a = code.add_bias(np.zeros((3, 4, 2)), np.array([[-20.0], [20.0], [0.0], [0.0]]) * np.ones(2))
        return float(np.abs(code.cell(a, c)[1] - c).max())


class CarryOfCellLost(CaughtByGradient, LSTMEntry):
    title = "the backward of an LSTM's cell state starts anew in every step"
    symptom = "The loss jumps up and stays there: the cell's own path over many steps has no gradient."
    numbers = (3.36e-05, 0.913)
    apart = 0.01
    fix = "c is used in h and in the next c: add the dc of the next step, and pass dc·f on."
    seen = "issues of several NumPy LSTMs; a check of one step with the output h passes"

    class Wrong(LSTM):
        @staticmethod
        def cell_backward(dh, dc, cache):
            i, f, g, o, c, tanh_c = cache
            dc = dh * o * (1 - tanh_c**2)
            di, df, dg, do = dc * g, dc * c, dc * i, dh * tanh_c
            slopes = i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)
            da = np.stack([di, df, dg, do], axis=1) * np.stack(slopes, axis=1)
            return da, dc * f


class InitialStateForgotten(LSTMEntry):
    title = "an LSTM's backward gives no gradient to the initial state"
    symptom = "The decoder learns, and the encoder that makes its first state keeps its random weights."
    numbers = (0.00895, 0.524)
    apart = 0.01
    caught_by = "gradient check of the initial state"
    bound = 1e-8
    fix = "After step 0, dh and dc are the gradients of the initial state. Return them, and pass them on."
    seen = "encoder and decoder nets; a check of x and the weights passes"

    class Wrong(LSTM):
        @staticmethod
        def state_gradient(dh, dc):
            return np.zeros_like(dh), np.zeros_like(dc)

    def check(self, code: Any) -> float:
        return self.error(code, slice(3, 5))

    def losses(self, code: Any) -> Array:
        """Pass on one of six numbers, from which the encoder makes four."""
        rng = random_generator()
        z, x = rng.standard_normal((256, 6)), rng.standard_normal((2, 256, 1))
        return train(code, x, np.sign(z[:, :1]), np.full(256, 2), z=z)


class LengthsOffByOne(LSTMEntry):
    title = "the mask of lengths counts one step too many"
    symptom = "Each final state has read one step of padding; only the longest sequences are right."
    numbers = (0.0768, 0.175)
    apart = 0.01
    caught_by = "invariance: other numbers in the padding change no final state"
    bound = 0.0
    fix = "Steps start at 0: step t is within the sequence if t < length."
    seen = "masks with t <= length; a check with sequences of full length passes"
    where = "scratchgen/layers/recurrent.py"

    class Wrong(LSTM):
        @staticmethod
        def active(t, lengths):
            return (t <= lengths)[:, None]

    def check(self, code: Any) -> float:
        rng = random_generator()
        some, zero, lengths = weights(rng, 2, 2), np.zeros((3, 2)), np.array([1, 4, 2])
        x, other = rng.standard_normal((2, 4, 3, 2))
        other = np.where((np.arange(4)[:, None] < lengths)[:, :, None], x, other)
        ends = [code.forward(a, *some, zero, zero, lengths)[0] for a in (x, other)]
        return float(np.abs(ends[0] - ends[1]).max())

    def losses(self, code: Any) -> Array:
        """Learn the sign of the last number before the padding; half of the sequences have none."""
        rng = random_generator()
        x, lengths = rng.standard_normal((8, 256, 1)), rng.choice([4, 8], 256)
        return train(code, x, np.sign(x[lengths - 1, np.arange(256)]), lengths)
