"""The gradient cases of recurrent layers, with their states and with sequences of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import LayerCase
from scratchgen.layers import GRU, LSTM, RNN, Layer
from scratchgen.layers.recurrent import Recurrent


class WithStates(Layer):
    """A recurrent layer as a function of one array: the sequence and the initial state, side by side.

    In: (N, T·D + S·H), for a state of S arrays. Out: (N, T·H + S·H), the output and the final state. So a
    check of this layer has a random gradient also for the final state, and compares that of the initial one.
    """

    def __init__(self, inner: Recurrent, steps: int, lengths: list[int] | None = None):
        self.inner, self.steps, self.lengths = inner, steps, lengths

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        self.expect(x, features=self.steps * self.inner.features + self.carried)
        sequence, state = self._split(x, self.inner.features)
        out, cache = self.inner.forward(sequence, training, state=state, lengths=self.lengths)
        return self._join(out, cache.state), cache

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        n = cache.x.shape[1]
        self.expect_gradient(dout, (n, self.steps * self.inner.hidden + self.carried), cache.x.dtype)
        dout, dfinal = self._split(dout, self.inner.hidden)
        dx, dstate = self.inner.backward_with_state(dout, dfinal, cache, input_grad)
        return self._join(dx, dstate) if input_grad else None

    def jvp(self, dx: np.ndarray, cache: Any) -> np.ndarray:
        n = cache.x.shape[1]
        self.expect_gradient(dx, (n, self.steps * self.inner.features + self.carried), cache.x.dtype)
        dx, dstate = self._split(dx, self.inner.features)
        return self._join(*self.inner.jvp_with_state(dx, dstate, cache))

    @property
    def carried(self) -> int:
        """The columns of the state."""
        return len(self.inner.state_names) * self.inner.hidden

    def _split(self, a: np.ndarray, width: int) -> tuple[np.ndarray, Any]:
        sequence, state = np.split(a, [self.steps * width], axis=1)
        parts = tuple(np.split(state, len(self.inner.state_names), axis=1))
        return sequence.reshape(len(a), self.steps, width), parts if len(parts) > 1 else parts[0]

    def _join(self, sequence: np.ndarray, state: Any) -> np.ndarray:
        parts = state if isinstance(state, tuple) else (state,)
        return np.concatenate([sequence.reshape(len(sequence), -1), *parts], axis=1)


CELLS = (RNN, LSTM, GRU)


def cases_of(cell: Any) -> list[LayerCase]:
    """The cases of one class: alone, one step, with states, and with sequences of different lengths."""

    def with_states(lengths: list[int] | None) -> Any:
        return lambda rng, dtype: WithStates(cell(2, 3, rng=rng, dtype=dtype), 4, lengths)

    name, shape = cell.__name__, (3, 4 * 2 + 3 * len(cell.state_names))
    return [
        LayerCase(name, lambda rng, dtype: cell(2, 3, rng=rng, dtype=dtype), (2, 4, 2)),
        LayerCase(f"{name} one step", lambda rng, dtype: cell(3, 2, rng=rng, dtype=dtype), (4, 1, 3)),
        LayerCase(f"{name} with states", with_states(None), shape),
        LayerCase(
            f"{name} weight dropout",
            lambda rng, dtype: cell(2, 3, weight_dropout=0.4, rng=rng, dtype=dtype),
            (2, 4, 2),
            training=True,
        ),
        LayerCase(f"{name} with states, lengths 4, 1, 2", with_states([4, 1, 2]), shape),
    ]


RECURRENT = tuple(case for cell in CELLS for case in cases_of(cell))
