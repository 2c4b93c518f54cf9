"""The gated recurrent unit: like an LSTM, its state is changed by addition, but it has a single state.

The functions compute one step of N sequences; the loop over the steps is in recurrent.py. Derived in
docs/recurrent.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array
from scratchgen.initializers import glorot_uniform, orthogonal
from scratchgen.kernels import compiled
from scratchgen.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from scratchgen.layers.base import Parameter
from scratchgen.layers.linear import affine_bias_grad
from scratchgen.layers.recurrent import Recurrent, RecurrentCache, States


@compiled
def gru_cell(a: Array, u: Array, bias: Array, h: Array) -> tuple[Array, Array, Array]:
    """(h, gates, v) after a step, for a, u (N, 3H), the candidate's bias (H,) and the h (N, H) before it."""
    a_r, a_z, a_n = np.split(a, 3, axis=1)                      #          (N, H) each
    u_r, u_z, u_n = np.split(u, 3, axis=1)
    r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)               # (GRU.1)
    v = u_n + bias
    n = tanh(a_n + r * v)                                       # (GRU.2)
    h = (1 - z) * n + z * h                                     # (GRU.3)
    return h, np.concatenate([r, z, n], axis=1), v


@compiled
def gru_cell_backward(dh: Array, gates: Array, v: Array, h: Array) -> tuple[Array, Array, Array]:
    """(da, du, dh before the step without the way through u) for dh (N, H) after it."""
    r, z, n = np.split(gates, 3, axis=1)
    dn, dz = dh * (1 - z), dh * (h - n)                         # (GRU.4)  h_t = (1 − z)·n + z·h_{t−1}
    dh_before = dh * z                                          # (GRU.5)
    da_n = tanh_backward(dn, n)                                 # (GRU.6)  n = tanh(a_n + r·v)
    dr, dv = da_n * v, da_n * r
    da_r, da_z = sigmoid_backward(dr, r), sigmoid_backward(dz, z)   # (GRU.7)
    da = np.concatenate([da_r, da_z, da_n], axis=1)
    du = np.concatenate([da_r, da_z, dv], axis=1)
    return da, du, dh_before


class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014).

    The loop over the steps and the weights are those of (BPTT.1) to (BPTT.11). In a step, a_t and u_t have
    three blocks of H columns, in the order r, z, n:

    (GRU.1)  r = σ(a_r + u_r),  z = σ(a_z + u_z)            reset and update gate
    (GRU.2)  n = tanh(a_n + r·v),  v = u_n + b'             the candidate
    (GRU.3)  h_t = (1 − z)·n + z·h_{t−1}
    (GRU.4)  dn = dh_t·(1 − z),  dz = dh_t·(h_{t−1} − n)
    (GRU.5)  dh_{t−1} = dh_t·z                              and the way through u, (BPTT.7)
    (GRU.6)  da_n = dn·(1 − n²),  dr = da_n·v,  dv = du_n = da_n·r
    (GRU.7)  da_r = du_r = dr·r·(1 − r),  da_z = du_z = dz·z·(1 − z)
    (GRU.8)  db' = Σ_t dv

    x (N, T, D), out (N, T, H); the state is h (N, H). In the paper, r multiplies h_{t−1} before the product
    with U. Here it multiplies the product, as in PyTorch, so that one product serves all gates. Derived in
    docs/recurrent.md.

    features, hidden : D and H
    truncate, weight_dropout, init, recurrent_init, rng : as for RNN; each H×H block of U is orthogonal

    Raises ValueError for T = 0, other features, lengths outside 1 … T and states of another shape.
    """

    gates = 3
    compiled_loop = "gru"

    def __init__(
        self,
        features: int,
        hidden: int,
        *,
        truncate: int | None = None,
        weight_dropout: float = 0.0,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        init: Callable[..., Array] = glorot_uniform,
        recurrent_init: Callable[..., Array] = orthogonal,
    ):
        super().__init__(
            features, hidden, truncate=truncate, weight_dropout=weight_dropout, rng=rng, dtype=dtype,
            init=init, recurrent_init=recurrent_init,
        )  # fmt: skip
        self.candidate_bias = Parameter(np.zeros(hidden, self.bias.dtype))      # b' (H,)

    def cell(self, a: Array, u: Array, states: States) -> tuple[States, Any]:
        h, gates, v = gru_cell(a, u, self.candidate_bias.value, states[0])      # (GRU.1) to (GRU.3)
        return (h,), (gates, v)

    def cell_backward(self, dstates: States, before: States, saved: Any) -> tuple[Array, Array, States]:
        (dh,), (h,), (gates, v) = dstates, before, saved
        da, du, dh = gru_cell_backward(dh, gates, v, h)                     # (GRU.4) to (GRU.7)
        return da, du, (dh,)

    def _add_gradients(self, cache: RecurrentCache, da: Array, du: Array) -> None:
        super()._add_gradients(cache, da, du)
        self.candidate_bias.grad += affine_bias_grad(du[:, :, -self.hidden :])  # (GRU.8)

    def cell_jvp(self, da: Array, du: Array, dstates: States, before: States, saved: Any) -> States:
        (dh,), (h,), (gates, v) = dstates, before, saved
        r, z, n = np.split(gates, 3, axis=1)
        da_r, da_z, da_n = np.split(da, 3, axis=1)
        du_r, du_z, dv = np.split(du, 3, axis=1)
        dr, dz = (da_r + du_r) * r * (1 - r), (da_z + du_z) * z * (1 - z)
        dn = (da_n + dr * v + r * dv) * (1 - n**2)
        return ((1 - z) * dn + dz * (h - n) + z * dh,)
