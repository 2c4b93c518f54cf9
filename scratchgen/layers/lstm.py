"""Long short-term memory: a cell whose state is changed by addition, so that gradients survive many steps.

The functions compute one step of N sequences; the loop over the steps is in recurrent.py. Derived in
docs/recurrent.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, expect_number
from scratchgen.initializers import glorot_uniform, orthogonal
from scratchgen.kernels import compiled
from scratchgen.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from scratchgen.layers.recurrent import Recurrent, States


@compiled
def lstm_cell(a: Array, u: Array, c: Array) -> tuple[Array, Array, Array, Array]:
    """(h, c, gates, tanh_c) after a step, for a, u (N, 4H) and the c (N, H) before it."""
    i, f, g, o = np.split(a + u, 4, axis=1)                     #           (N, H) each
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)    # (LSTM.1)
    c = f * c + i * g                                           # (LSTM.2)
    tanh_c = tanh(c)
    h = o * tanh_c                                              # (LSTM.3)
    return h, c, np.concatenate([i, f, g, o], axis=1), tanh_c


@compiled
def lstm_cell_backward(dh: Array, dc: Array, gates: Array, c: Array, tanh_c: Array) -> tuple[Array, Array]:
    """(da, dc before the step) for dh, dc (N, H) after it; c is the one before the step."""
    i, f, g, o = np.split(gates, 4, axis=1)
    do = dh * tanh_c                                            # (LSTM.4)  h = o·tanh(c)
    dc = dc + tanh_backward(dh * o, tanh_c)                     # (LSTM.5)  c_t is in h_t and in c_{t+1}
    di, df, dg = dc * g, dc * c, dc * i                         # (LSTM.6)  c_t = f·c_{t−1} + i·g
    dc_before = dc * f                                          # (LSTM.7)
    da = [
        sigmoid_backward(di, i),                                # (LSTM.8)
        sigmoid_backward(df, f),
        tanh_backward(dg, g),
        sigmoid_backward(do, o),
    ]
    return np.concatenate(da, axis=1), dc_before


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with the forget gate of Gers et al. 2000.

    The loop over the steps and the weights are those of (BPTT.1) to (BPTT.11). In a step, a_t + u_t has four
    blocks of H columns, in the order i, f, g, o:

    (LSTM.1)  i, f, o = σ(block),  g = tanh(block)          input, forget and output gate; the new content
    (LSTM.2)  c_t = f·c_{t−1} + i·g
    (LSTM.3)  h_t = o·tanh(c_t)
    (LSTM.4)  do  = dh_t·tanh(c_t)
    (LSTM.5)  dc_t = dc_t from step t + 1 + dh_t·o·(1 − tanh²(c_t))
    (LSTM.6)  di = dc_t·g,  df = dc_t·c_{t−1},  dg = dc_t·i
    (LSTM.7)  dc_{t−1} = dc_t·f
    (LSTM.8)  da_t = du_t = [di·i·(1 − i), df·f·(1 − f), dg·(1 − g²), do·o·(1 − o)]

    x (N, T, D), out (N, T, H); the state is the pair (h, c), each (N, H). Derived in docs/recurrent.md.

    features, hidden : D and H
    forget_bias : the first value of the forget gate's bias. With 1, a gate starts at σ(1) = 0.73 instead of
        0.5, so the cell begins by remembering (Gers et al. 2000; Jozefowicz et al. 2015, section 5)
    truncate, weight_dropout, init, recurrent_init, rng : as for RNN; each H×H block of U is orthogonal

    Raises ValueError for T = 0, other features, lengths outside 1 … T and states of another shape.
    """

    gates = 4
    state_names = ("h", "c")
    compiled_loop = "lstm"

    def __init__(
        self,
        features: int,
        hidden: int,
        *,
        forget_bias: float = 1.0,
        truncate: int | None = None,
        weight_dropout: float = 0.0,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        init: Callable[..., Array] = glorot_uniform,
        recurrent_init: Callable[..., Array] = orthogonal,
    ):
        expect_number("LSTM", "forget_bias", forget_bias)
        super().__init__(
            features, hidden, truncate=truncate, weight_dropout=weight_dropout, rng=rng, dtype=dtype,
            init=init, recurrent_init=recurrent_init,
        )  # fmt: skip
        self.forget_bias = forget_bias
        self.bias.value[hidden : 2 * hidden] = forget_bias

    def cell(self, a: Array, u: Array, states: States) -> tuple[States, Any]:
        h, c, gates, tanh_c = lstm_cell(a, u, states[1])                    # (LSTM.1) to (LSTM.3)
        return (h, c), (gates, tanh_c)

    def cell_backward(self, dstates: States, before: States, saved: Any) -> tuple[Array, Array, States]:
        (dh, dc), (_, c), (gates, tanh_c) = dstates, before, saved
        da, dc = lstm_cell_backward(dh, dc, gates, c, tanh_c)               # (LSTM.4) to (LSTM.8)
        return da, da, (np.zeros_like(dc), dc)                              # h_{t−1} is used in u_t alone

    def cell_jvp(self, da: Array, du: Array, dstates: States, before: States, saved: Any) -> States:
        gates, tanh_c = saved
        i, f, g, o = np.split(gates, 4, axis=1)
        di, df, dg, do = np.split(da + du, 4, axis=1)
        di, df, dg, do = di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)
        dc = df * before[1] + f * dstates[1] + di * g + i * dg
        return do * tanh_c + o * (1 - tanh_c**2) * dc, dc

    def __repr__(self) -> str:
        return (
            f"LSTM({self.features}, {self.hidden}, forget_bias={self.forget_bias}, truncate={self.truncate}, "
            f"weight_dropout={self.weight_dropout})"
        )
