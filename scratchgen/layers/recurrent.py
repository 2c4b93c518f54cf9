"""Recurrent nets: backpropagation through time, for every kind of cell, and the plain tanh cell.

A recurrent layer reads a sequence step by step and carries a state. The loop over the steps, and the way back
through them, are the same for all cells, so they are written once, in `Recurrent`. A cell is one step: RNN is
below, LSTM and GRU are in files of their own. Derived in docs/recurrent.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import (
    Array,
    as_generator,
    describe,
    expect_count,
    expect_function,
    expect_number,
    is_plain_array,
    positive,
)
from scratchgen.initializers import glorot_uniform, orthogonal
from scratchgen.kernels import compiled
from scratchgen.layers.activations import tanh, tanh_backward
from scratchgen.layers.base import Layer, Parameter, float_dtype, rows
from scratchgen.layers.dropout import Dropout
from scratchgen.layers.lengths import within_lengths
from scratchgen.layers.linear import affine, affine_bias_grad, affine_input_grad

States = tuple[Array, ...]      # what a cell carries from step to step: (h,) or (h, c), each (N, H)


@compiled
def steps_first(x: Array) -> Array:
    """(N, T, D) -> (T, N, D), so that x[t] is one block of memory; also back again."""
    return np.array(x.swapaxes(0, 1), order="C")


def where(active: Array | None, new: States, old: States) -> States:
    """`new` for the sequences that are active, `old` for the others; `new` if there is no mask."""
    if active is None:
        return new
    return tuple(np.where(active, n, o) for n, o in zip(new, old, strict=True))


def at(states: States, t: int) -> States:
    """The states before step t, from those of all steps."""
    return tuple(s[t] for s in states)


@compiled
def forward_steps(
    layer: Any, a: Array, weight: Array, start: States, active: Array | None
) -> tuple[States, list[Any]]:
    """layer.forward_loop; its twin computes all steps of an LSTM or a GRU in one call."""
    found: tuple[States, list[Any]] = layer.forward_loop(a, weight, start, active)
    return found


@compiled
def backward_steps(
    layer: Any, dout: Array, ds: States, states: States, saved: list[Any], weight: Array, active: Array | None
) -> tuple[Array, Array, States]:
    """layer.backward_loop; its twin computes all steps of an LSTM or a GRU in one call."""
    found: tuple[Array, Array, States] = layer.backward_loop(dout, ds, states, saved, weight, active)
    return found


class RecurrentCache(NamedTuple):
    """What backward of a recurrent layer needs, and the final state."""

    state: Any              # the state after the last step: h (N, H), or the pair (h, c) of an LSTM
    x: Array                # (T, N, D): the input, with zeros in padded steps
    states: States          # (T + 1, N, H) each; entry t is the state before step t
    saved: list[Any]        # for each step, what the backward pass of the cell needs
    active: Array | None    # (T, N, 1): whether step t is within the sequence; None without lengths
    weight: Array           # (H, G·H): the U of all steps, from which entries may have been dropped
    drop: Any               # the cache of this dropout; None without


class Recurrent(Layer):
    """The base of the recurrent layers: a cell, applied to one step after another.

    The state s holds h, and for an LSTM also c. m is 1 within a sequence, and 0 in the padding behind it.

    (BPTT.1)   a     = x·W + b                              all steps in one product, (T, N, G·H)
    (BPTT.2)   u_t   = h_{t−1}·U                            (N, G·H)
    (BPTT.3)   s_t   = m_t·cell(a_t, u_t, s_{t−1}) + (1 − m_t)·s_{t−1}
    (BPTT.4)   out_t = m_t·h_t                              (N, H)
    (BPTT.5)   dh_t  = m_t·dout_t + dh_t from step t + 1    h_t is used twice
    (BPTT.6)   da_t, du_t, ds_{t−1} = backward of the cell, given m_t·ds_t;  ds_{t−1} += (1 − m_t)·ds_t
    (BPTT.7)   dh_{t−1} += du_t·Uᵀ
    (BPTT.8)   dU    = Σ_t h_{t−1}ᵀ·du_t                    one product over all steps
    (BPTT.9)   dW    = Σ_t x_tᵀ·da_t,  db = Σ_t da_t        one product over all steps
    (BPTT.10)  dx    = da·Wᵀ
    (BPTT.11)  truncated: ds_{t−1} = 0 before the steps t = k, 2k, …
    (BPTT.12)  weight dropout: U is U·mask in the lines above, and dU is multiplied by the same mask

    x (N, T, D), out (N, T, H). W (D, G·H) and U (H, G·H) have a block of H columns for each of the G gates.

        out, cache = layer.forward(x)                           starts from zeros
        out, cache = layer.forward(x, state=state, lengths=lengths)
        cache.state                                             the final state, for the next call
        dx = layer.backward(dout, cache)
        dx, dstate = layer.backward_with_state(dout, dfinal, cache)     also into and out of the states
        h, state = layer.step(x, state)                         one step, x (N, D)

    lengths : (N,) integers from 1 to T. In the steps behind a sequence, the state is carried on unchanged, so
        the final state is that of its last step. There, out and all gradients are zero, and x is not read.

    Derived in docs/recurrent.md.
    """

    gates = 1                           # G
    state_names: tuple[str, ...] = ("h",)
    compiled_loop = ""                  # "lstm" or "gru": whose cell exactly this class has

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
        who = type(self).__name__
        positive(who, features=features, hidden=hidden)
        expect_number(who, "weight_dropout", weight_dropout, least=0, below=1)
        if truncate is not None:
            expect_count(who, "truncate", truncate)
        expect_function(who, "init", init)
        expect_function(who, "recurrent_init", recurrent_init)
        kind: dict[str, Any] = {"dtype": float_dtype(who, dtype), "rng": as_generator(who, rng)}
        self.features, self.hidden, self.truncate = features, hidden, truncate
        ways_in = [init((features, hidden), features, hidden, **kind) for _ in range(self.gates)]
        ways_on = [recurrent_init((hidden, hidden), hidden, hidden, **kind) for _ in range(self.gates)]
        self.weight = Parameter(np.concatenate(ways_in, axis=1))                # W (D, G·H)
        self.recurrent_weight = Parameter(np.concatenate(ways_on, axis=1))      # U (H, G·H)
        self.bias = Parameter(np.zeros(self.gates * hidden, kind["dtype"]))     # b (G·H,)
        self.weight_dropout = weight_dropout
        self.drop = Dropout(weight_dropout, rng=kind["rng"].spawn(1)[0]) if weight_dropout else None

    # A cell defines the next three methods.

    def cell(self, a: Array, u: Array, states: States) -> tuple[States, Any]:
        """(the new states, what cell_backward needs) for one step: a, u (N, G·H), states (N, H) each."""
        raise TypeError(f"{type(self).__name__} does not define cell")

    def cell_backward(self, dstates: States, before: States, saved: Any) -> tuple[Array, Array, States]:
        """(da, du, the gradients of the states before the step) for those of the states after it.

        The gradient of h before the step leaves out the way through u, which is the same for all cells.
        """
        raise TypeError(f"{type(self).__name__} does not define cell_backward")

    def cell_jvp(self, da: Array, du: Array, dstates: States, before: States, saved: Any) -> States:
        """The change of the new states for small changes of a, u and the states before the step."""
        raise TypeError(f"{type(self).__name__} does not define cell_jvp")

    def forward(
        self, x: Array, training: bool = False, *, state: Any = None, lengths: Any = None
    ) -> tuple[Array, RecurrentCache]:
        self._expect_sequences(x)
        start = self._as_states("state", state, (len(x), self.hidden), x.dtype)
        active = self._active(lengths, *x.shape[:2])
        x = steps_first(x)                                                  #            (T, N, D)
        if active is not None:
            x = np.where(active, x, 0)
        a = affine(x, self.weight.value, self.bias.value)                   # (BPTT.1)   (T, N, G·H)
        weight, drop = self.recurrent_weight.value, None
        if self.drop is not None:
            weight, drop = self.drop.forward(weight, training)              # (BPTT.12)  (H, G·H)
        states, saved = forward_steps(self, a, weight, start, active)       # (BPTT.2), (BPTT.3)
        out = steps_first(states[0][1:])                                    #            (N, T, H)
        if active is not None:
            out = np.where(active.swapaxes(0, 1), out, 0)                   # (BPTT.4)
        state = self._as_given(tuple(s[-1].copy() for s in states))
        return out, RecurrentCache(state, x, states, saved, active, weight, drop)

    def forward_loop(
        self, a: Array, weight: Array, start: States, active: Array | None
    ) -> tuple[States, list[Any]]:
        """(the states before and after all steps, what the cell saved in each step), for a (T, N, G·H).

        The states are (T + 1, N, H) each; entry t is the state before step t.
        """
        states, saved = [start], []
        for t in range(len(a)):
            u = affine(states[t][0], weight)                                # (BPTT.2)   (N, G·H)
            after, kept = self.cell(a[t], u, states[t])
            mask = None if active is None else active[t]
            states.append(where(mask, after, states[t]))                    # (BPTT.3)
            saved.append(kept)
        return tuple(np.stack(s) for s in zip(*states, strict=True)), saved

    def backward(self, dout: Array, cache: RecurrentCache, input_grad: bool = True) -> Any:
        return self.backward_with_state(dout, None, cache, input_grad)[0]

    def backward_with_state(
        self, dout: Array, dstate: Any, cache: RecurrentCache, input_grad: bool = True
    ) -> tuple[Any, Any]:
        """Return (dx, the gradient of the initial state); add the gradients of the parameters.

        dstate : the gradient of the final state, in the form of cache.state; None for zero
        """
        steps, n, _ = cache.x.shape
        self.expect_gradient(dout, (n, steps, self.hidden), cache.x.dtype)
        ds = self._as_states("dstate", dstate, (n, self.hidden), dout.dtype)
        dout = steps_first(dout)                                            #            (T, N, H)
        da, du, ds = backward_steps(                                        # (BPTT.5) to (BPTT.7)
            self, dout, ds, cache.states, cache.saved, cache.weight, cache.active
        )
        if self.trainable:
            self._add_gradients(cache, da, du)
        dx = steps_first(affine_input_grad(da, self.weight.value)) if input_grad else None  # (BPTT.10)
        return dx, self._as_given(ds)

    def backward_loop(
        self, dout: Array, ds: States, states: States, saved: list[Any], weight: Array, active: Array | None
    ) -> tuple[Array, Array, States]:
        """(da, du of all steps, ds of the initial state), for dout (T, N, H) and ds of the final state."""
        zeros = tuple(np.zeros_like(d) for d in ds)
        das, dus = [], []
        for t in range(len(dout) - 1, -1, -1):
            mask = None if active is None else active[t]
            inside, skipped = where(mask, ds, zeros), where(mask, zeros, ds)
            (dh_out,) = where(mask, (dout[t],), zeros[:1])
            inside = (inside[0] + dh_out, *inside[1:])                      # (BPTT.5)
            da, du, ds = self.cell_backward(inside, at(states, t), saved[t])    # (BPTT.6)
            ds = (ds[0] + affine_input_grad(du, weight), *ds[1:])           # (BPTT.7)
            if mask is not None:
                ds = tuple(d + s for d, s in zip(ds, skipped, strict=True))
            if self.truncate and t and t % self.truncate == 0:
                ds = zeros                                                  # (BPTT.11)
            das.append(da)
            dus.append(du)
        da = np.stack(das[::-1])                                            #            (T, N, G·H)
        return da, da if dus[0] is das[0] else np.stack(dus[::-1]), ds

    def _add_gradients(self, cache: RecurrentCache, da: Array, du: Array) -> None:
        h_before = cache.states[0][:-1]                                     #            (T, N, H)
        if self.drop is None:
            self.recurrent_weight.add_grad(rows(h_before).T, rows(du))      # (BPTT.8)   (H, G·H)
        else:
            dweight = rows(h_before).T @ rows(du)
            self.recurrent_weight.add_grad(self.drop.backward(dweight, cache.drop))     # (BPTT.12)
        self.weight.add_grad(rows(cache.x).T, rows(da))                     # (BPTT.9)   (D, G·H)
        self.bias.grad += affine_bias_grad(da)                              #            (G·H,)

    def jvp(self, dx: Array, cache: RecurrentCache) -> Array:
        """Return J·dx, the change of out for a fixed initial state."""
        return self.jvp_with_state(dx, None, cache)[0]

    def jvp_with_state(self, dx: Array, dstate: Any, cache: RecurrentCache) -> tuple[Array, Any]:
        """Return the changes of (out, final state) for small changes of x and of the initial state."""
        steps, n, features = cache.x.shape
        self.expect_gradient(dx, (n, steps, features), cache.x.dtype)
        ds = self._as_states("dstate", dstate, (n, self.hidden), dx.dtype)
        da, active = affine(steps_first(dx), self.weight.value), cache.active
        dout = []
        for t in range(steps):
            du = ds[0] @ cache.weight
            after = self.cell_jvp(da[t], du, ds, at(cache.states, t), cache.saved[t])
            ds = where(None if active is None else active[t], after, ds)
            dout.append(ds[0] if active is None else np.where(active[t], ds[0], 0))
        return np.stack(dout, axis=1), self._as_given(ds)

    def step(self, x: Array, state: Any = None) -> tuple[Array, Any]:
        """Read one step, x (N, D). Return (h, state): h (N, H) is that step's row of out.

        Steps that pass the state on give the same as forward over the whole sequence. Nothing is cached.
        """
        self.expect(x, features=self.features, ndim=2)
        states = self._as_states("state", state, (len(x), self.hidden), x.dtype)
        a = affine(x, self.weight.value, self.bias.value)
        states, _ = self.cell(a, states[0] @ self.recurrent_weight.value, states)
        return states[0], self._as_given(states)

    def _expect_sequences(self, x: Array) -> None:
        self.expect(x)
        if x.ndim != 3 or x.shape[2] != self.features or x.shape[1] < 1:
            who = type(self).__name__
            raise ValueError(
                f"{who} expected sequences of shape (N, T, {self.features}) with T of at least 1, "
                f"got {x.shape}"
            )

    def _as_states(self, name: str, state: Any, shape: tuple[int, int], dtype: np.dtype) -> States:
        """A state, or the gradient of one, as a tuple of arrays of the given shape; zeros for None."""
        who, names = type(self).__name__, self.state_names
        if state is None:
            return tuple(np.zeros(shape, dtype) for _ in names)
        states = (state,) if len(names) == 1 else state
        if not isinstance(states, tuple | list) or len(states) != len(names):
            raise TypeError(
                f"{who} expected {name} to be a pair ({', '.join(names)}) of arrays, got {describe(state)}"
            )
        for part, a in zip(names, states, strict=True):
            if not is_plain_array(a) or a.dtype != dtype:
                raise TypeError(f"{who} expected {name} {part} of dtype {dtype}, as x has, got {describe(a)}")
            if a.shape != shape:
                raise ValueError(f"{who} expected {name} {part} of shape {shape}, got {a.shape}")
        return tuple(states)

    def _as_given(self, states: States) -> Any:
        """The states in the form that users see: an array, or a tuple of arrays."""
        return states[0] if len(self.state_names) == 1 else states

    def _active(self, lengths: Any, n: int, steps: int) -> Array | None:
        """(T, N, 1): whether each step is within its sequence."""
        within = within_lengths(type(self).__name__, lengths, n, steps)
        return None if within is None else within.T[:, :, None]

    def output_shape_text(self) -> str:
        return f"(N, T, {self.hidden})"

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.features}, {self.hidden}, truncate={self.truncate}, "
            f"weight_dropout={self.weight_dropout})"
        )


class RNN(Recurrent):
    """The plain recurrent net (Elman 1990): the new state is tanh of an affine map of input and state.

    (RNN.1)  h_t  = tanh(a_t + u_t)                 a = x·W + b, u_t = h_{t−1}·U, as in (BPTT.1, BPTT.2)
    (RNN.2)  da_t = du_t = dh_t·(1 − h_t²)

    x (N, T, D), out (N, T, H); the state is h (N, H). Derived in docs/recurrent.md.

    features, hidden : D and H
    truncate : k, to stop the gradient every k steps (Williams & Peng 1990); None for the whole sequence
    weight_dropout : the probability that training drops an entry of U, for all steps of a call (Merity et al.
        2018, section 3.1)
    init, recurrent_init : functions (shape, fan_in, fan_out, *, rng, dtype) -> array, for W and for U. An
        orthogonal U keeps the length of a vector (Saxe, McClelland & Ganguli 2014). The bias starts at zero
    rng : a Generator or an integer seed

    Raises ValueError for T = 0, other features, lengths outside 1 … T and states of another shape.
    """

    def cell(self, a: Array, u: Array, states: States) -> tuple[States, Array]:
        h = tanh(a + u)                                                     # (RNN.1)
        return (h,), h

    def cell_backward(self, dstates: States, before: States, saved: Array) -> tuple[Array, Array, States]:
        (dh,) = dstates
        da = tanh_backward(dh, saved)                                       # (RNN.2)
        return da, da, (np.zeros_like(dh),)                                 # h_{t−1} is used in u_t alone

    def cell_jvp(self, da: Array, du: Array, dstates: States, before: States, saved: Array) -> States:
        return (tanh_backward(da + du, saved),)
