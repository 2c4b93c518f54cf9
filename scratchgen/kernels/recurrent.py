"""Twins of layers/recurrent.py: all steps of an LSTM or a GRU in one call.

The sequences of a batch do not depend on each other. So a block of work is all steps of a few sequences, and
threads do not have to wait for each other after each step. The weight U is copied into panels once, for all
steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import FLOATS
from scratchgen.kernels.compile import kernel
from scratchgen.kernels.gru import _gru_cell, _gru_cell_backward
from scratchgen.kernels.lstm import _lstm_cell, _lstm_cell_backward
from scratchgen.kernels.native import keep
from scratchgen.kernels.panels import BEST, HEIGHTS, multiply_packed
from scratchgen.kernels.parts import share
from scratchgen.kernels.plans import WORK
from scratchgen.kernels.products import code, packed
from scratchgen.kernels.shapes import expects

SEQUENCES = 2 * int(HEIGHTS[BEST])      # in a block: two tiles of a product
NONE = np.empty((0, 0), np.bool_)

States = tuple[np.ndarray, ...]


class Saved(list[Any]):
    """What the cell saved in each step, from arrays with the values of all steps."""

    def __init__(self, *arrays: np.ndarray) -> None:
        super().__init__(zip(*arrays, strict=True))
        self.arrays = arrays


@expects(x="n t d")
def steps_first(x: np.ndarray) -> np.ndarray:
    n, steps, size = x.shape
    out = np.empty((steps, n, size), x.dtype)
    share(_steps_first, (np.arange(steps), out), (np.ascontiguousarray(x),), each=n * size)
    return out


@kernel("contract")
def _steps_first(steps, out, x):
    for i in range(steps.size):
        for n in range(out.shape[1]):
            source, target = x[n, steps[i]], out[i, n]
            for j in range(target.size):
                target[j] = source[j]


def forward_steps(
    layer: Any, a: np.ndarray, weight: np.ndarray, start: States, active: np.ndarray | None
) -> tuple[States, list[Any]]:
    if not _fits(layer, a, weight, start, active):
        loop: tuple[States, list[Any]] = layer.forward_loop(a, weight, start, active)
        return loop
    steps, n, _ = a.shape
    a, panels = np.ascontiguousarray(a), packed(weight)
    states = tuple(np.empty((steps + 1, *s.shape), s.dtype) for s in start)
    for all_steps, first in zip(states, start, strict=True):
        all_steps[0] = first
    gates, other = np.empty(a.shape, a.dtype), np.empty((steps, n, layer.hidden), a.dtype)
    common = (_mask(active), code(a.dtype), panels.address)
    if layer.compiled_loop == "lstm":
        _over_sequences(_lstm_steps, n, a, *states, gates, other, *common)
    else:
        bias = np.ascontiguousarray(layer.candidate_bias.value)
        _over_sequences(_gru_steps, n, a, *states, gates, other, bias, *common)
    _keep(panels)
    return states, Saved(gates, other)


def backward_steps(
    layer: Any, dout: np.ndarray, ds: States, states: States, saved: list[Any], weight: np.ndarray,
    active: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, States]:  # fmt: skip
    for array in (dout, *ds, *states):
        if array.dtype != weight.dtype or array.dtype not in FLOATS:
            raise TypeError(f"backward_steps expected arrays of {weight.dtype}, got {array.dtype}")
    if not (isinstance(saved, Saved) and _fits_backward(layer, dout, ds, states, saved, weight, active)):
        loop: tuple[np.ndarray, np.ndarray, States] = layer.backward_loop(
            dout, ds, states, saved, weight, active
        )
        return loop
    gates, other = saved.arrays
    panels = packed(weight.T)
    dout = np.ascontiguousarray(dout)
    ds = tuple(np.array(d, order="C") for d in ds)      # copies, which the kernel changes
    da = du = np.empty(gates.shape, gates.dtype)
    common = (_mask(active), layer.truncate or 0, code(dout.dtype), panels.address)
    if layer.compiled_loop == "lstm":
        _over_sequences(_lstm_steps_backward, dout.shape[1], dout, *ds, gates, states[1], other, da, *common)
    else:
        du = np.empty(gates.shape, gates.dtype)
        _over_sequences(
            _gru_steps_backward, dout.shape[1], dout, *ds, gates, other, states[0], da, du, *common
        )
    _keep(panels)
    return da, du, ds


def _keep(panels: Any) -> None:
    """Do nothing. The panels are not freed before this call, and a kernel has only their address."""


def _fits(layer: Any, a: np.ndarray, weight: np.ndarray, start: States, active: np.ndarray | None) -> bool:
    """Whether a kernel can compute all steps: a known cell, and arrays of one dtype and of the right shapes.

    The loop computes all other cases, or raises an error.
    """
    cell = vars(type(layer)).get("compiled_loop")       # not of a base class: a subclass may change the cell
    if cell not in ("lstm", "gru") or a.ndim != 3 or not a.size:
        return False
    (steps, n, columns), hidden = a.shape, layer.hidden
    if n <= SEQUENCES and n * hidden * columns >= 4 * WORK:     # one block, but large products for each step
        return False
    bias = [(layer.candidate_bias.value, (hidden,))] if cell == "gru" else []
    return _are(
        a.dtype, (a, (steps, n, layer.gates * hidden)), (weight, (hidden, columns)),
        *((s, (n, hidden)) for s in start), *bias,
    ) and (active is None or (active.shape == (steps, n, 1) and active.dtype == np.bool_))  # fmt: skip


def _fits_backward(
    layer: Any, dout: np.ndarray, ds: States, states: States, saved: Saved, weight: np.ndarray,
    active: np.ndarray | None,
) -> bool:  # fmt: skip
    """Whether a kernel can compute all steps of the backward pass."""
    gates, other = saved.arrays
    if dout.ndim != 3 or not _fits(layer, gates, weight, ds, active):
        return False
    (steps, n, _), hidden = gates.shape, layer.hidden
    return _are(
        gates.dtype, (dout, (steps, n, hidden)), (other, (steps, n, hidden)),
        *((s, (steps + 1, n, hidden)) for s in states),
    )  # fmt: skip


def _are(dtype: np.dtype, *arrays: tuple[np.ndarray, tuple[int, ...]]) -> bool:
    """Whether all arrays have this dtype, float32 or float64, and the shapes given with them."""
    return dtype in FLOATS and all(a.shape == shape and a.dtype == dtype for a, shape in arrays)


def _mask(active: np.ndarray | None) -> np.ndarray:
    """Which steps are within their sequences, (T, N), or an empty array if all of them are."""
    return NONE if active is None else np.ascontiguousarray(active[:, :, 0])


def _over_sequences(steps: Any, n: int, *arguments: Any) -> None:
    """Call steps(indices, *arguments) for blocks of the n sequences."""
    share(steps, (np.arange(n),), arguments, entries=SEQUENCES, enough=2)


@kernel("contract")
def _multiply(rows, code, panels, out):
    """out = rows·b, with b in panels; the numbers of a row are contiguous."""
    (count, depth), columns = rows.shape, out.shape[1]
    multiply_packed(
        rows.dtype.type(0), code, rows.ctypes.data, rows.strides[0], rows.strides[1], panels, out.ctypes.data,
        out.strides[0], count, columns, depth, 0,
    )  # fmt: skip
    keep(rows)
    keep(out)


@kernel("contract")
def _carry_on(active, t, first, before, after):
    """Copy the state before step t to the state after it, for sequences that have ended."""
    for i in range(before.shape[0]):
        if not active[t, first + i]:
            for j in range(before.shape[1]):
                after[i, j] = before[i, j]


@kernel("contract")
def _lstm_steps(sequences, a, h, c, gates, tanh_c, active, code, panels):
    first, stop = sequences[0], sequences[-1] + 1
    u = np.empty((sequences.size, a.shape[2]), a.dtype)
    for t in range(a.shape[0]):
        before = h[t, first:stop]
        _multiply(before, code, panels, u)
        _lstm_cell(
            a[t, first:stop], u, c[t, first:stop], h[t + 1, first:stop], c[t + 1, first:stop],
            gates[t, first:stop], tanh_c[t, first:stop],
        )  # fmt: skip
        if active.size:
            _carry_on(active, t, first, before, h[t + 1, first:stop])
            _carry_on(active, t, first, c[t, first:stop], c[t + 1, first:stop])


@kernel("contract")
def _gru_steps(sequences, a, h, gates, v, bias, active, code, panels):
    first, stop = sequences[0], sequences[-1] + 1
    u = np.empty((sequences.size, a.shape[2]), a.dtype)
    for t in range(a.shape[0]):
        before = h[t, first:stop]
        _multiply(before, code, panels, u)
        _gru_cell(
            a[t, first:stop], u, before, h[t + 1, first:stop], gates[t, first:stop], v[t, first:stop], bias
        )
        if active.size:
            _carry_on(active, t, first, before, h[t + 1, first:stop])


@kernel("contract")
def _enter(inside, dh, dout, t, first, active):
    """inside = dh + dout of step t; 0 for sequences that have ended, whose dout is not read."""
    for i in range(inside.shape[0]):
        ended = active.size > 0 and not active[t, first + i]
        for j in range(inside.shape[1]):
            inside[i, j] = 0 if ended else dh[first + i, j] + dout[t, first + i, j]


@kernel("contract")
def _lstm_steps_backward(sequences, dout, dh, dc, gates, c, tanh_c, da, active, truncate, code, panels):
    first, stop, hidden = sequences[0], sequences[-1] + 1, dh.shape[1]
    inside = np.empty((sequences.size, hidden), dh.dtype)
    dh_before, dc_before = np.empty_like(inside), np.empty_like(inside)
    for t in range(dout.shape[0] - 1, -1, -1):
        _enter(inside, dh, dout, t, first, active)
        da_t = da[t, first:stop]
        _lstm_cell_backward(
            inside, dc[first:stop], gates[t, first:stop], c[t, first:stop], tanh_c[t, first:stop], da_t,
            dc_before,
        )  # fmt: skip
        _multiply(da_t, code, panels, dh_before)
        for i in range(sequences.size):
            if active.size > 0 and not active[t, first + i]:
                da_t[i] = 0
                continue
            dh[first + i], dc[first + i] = dh_before[i], dc_before[i]
        if truncate and t and t % truncate == 0:
            dh[first:stop] = 0
            dc[first:stop] = 0


@kernel("contract")
def _gru_steps_backward(sequences, dout, dh, gates, v, h, da, du, active, truncate, code, panels):
    first, stop, hidden = sequences[0], sequences[-1] + 1, dh.shape[1]
    inside = np.empty((sequences.size, hidden), dh.dtype)
    through, direct = np.empty_like(inside), np.empty_like(inside)
    for t in range(dout.shape[0] - 1, -1, -1):
        _enter(inside, dh, dout, t, first, active)
        da_t, du_t = da[t, first:stop], du[t, first:stop]
        _gru_cell_backward(
            inside, gates[t, first:stop], v[t, first:stop], h[t, first:stop], da_t, du_t, direct
        )
        _multiply(du_t, code, panels, through)
        for i in range(sequences.size):
            if active.size > 0 and not active[t, first + i]:
                da_t[i] = 0
                du_t[i] = 0
                continue
            for j in range(hidden):
                dh[first + i, j] = direct[i, j] + through[i, j]
        if truncate and t and t % truncate == 0:
            dh[first:stop] = 0
