"""Twins of layers/gru.py: one pass over the gates of a step, with a loop for each gate as in lstm.py."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp, tanh
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expects

CELLS = 1 << 14     # gates in a block, about 15 µs


@expects(a="n g", u="n g", bias="h", h="n h")
def gru_cell(
    a: np.ndarray, u: np.ndarray, bias: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _expect_gates("gru_cell", a.shape[1], h.shape[1])
    a, u, h = np.ascontiguousarray(a), np.ascontiguousarray(u), np.ascontiguousarray(h)
    bias = np.ascontiguousarray(bias)
    gates = np.empty(a.shape, a.dtype)
    after, v = np.empty(h.shape, h.dtype), np.empty(h.shape, h.dtype)
    share(_gru_cell, (a, u, h, after, gates, v), (bias,), each=a.shape[1], entries=CELLS)
    return after, gates, v


@expects(dh="n h", gates="n g", v="n h", h="n h")
def gru_cell_backward(
    dh: np.ndarray, gates: np.ndarray, v: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _expect_gates("gru_cell_backward", gates.shape[1], h.shape[1])
    given = [np.ascontiguousarray(array) for array in (dh, gates, v, h)]
    da, du = np.empty(gates.shape, gates.dtype), np.empty(gates.shape, gates.dtype)
    dh_before = np.empty(h.shape, h.dtype)
    share(_gru_cell_backward, (*given, da, du, dh_before), each=gates.shape[1], entries=CELLS)
    return da, du, dh_before


def _expect_gates(who: str, columns: int, hidden: int) -> None:
    if columns != 3 * hidden:
        raise ValueError(f"{who} expected {3 * hidden} columns for three gates, got {columns}")


@kernel()
def _gru_cell(a, u, h, after, gates, v, bias):
    one = a.dtype.type(1)
    hidden = h.shape[1]
    for row in range(h.shape[0]):
        r, z, n = _three(gates[row], hidden)
        for j in range(2 * hidden):
            gates[row, j] = one / (one + exp(-(a[row, j] + u[row, j])))
        for j in range(hidden):
            v[row, j] = u[row, 2 * hidden + j] + bias[j]
        for j in range(hidden):
            n[j] = tanh(a[row, 2 * hidden + j] + r[j] * v[row, j])
        for j in range(hidden):
            after[row, j] = (one - z[j]) * n[j] + z[j] * h[row, j]


@kernel("contract")
def _gru_cell_backward(dh, gates, v, h, da, du, dh_before):
    one = h.dtype.type(1)
    hidden = h.shape[1]
    for row in range(h.shape[0]):
        r, z, n = _three(gates[row], hidden)
        da_r, da_z, da_n = _three(da[row], hidden)
        _, _, dv = _three(du[row], hidden)
        for j in range(hidden):
            da_n[j] = dh[row, j] * (one - z[j]) * (one - n[j] * n[j])
        for j in range(hidden):
            da_r[j] = da_n[j] * v[row, j] * r[j] * (one - r[j])
        for j in range(hidden):
            da_z[j] = dh[row, j] * (h[row, j] - n[j]) * z[j] * (one - z[j])
        for j in range(hidden):
            dv[j] = da_n[j] * r[j]
        for j in range(hidden):
            dh_before[row, j] = dh[row, j] * z[j]
        for j in range(2 * hidden):
            du[row, j] = da[row, j]


@kernel("contract")
def _three(row, hidden):
    return row[:hidden], row[hidden : 2 * hidden], row[2 * hidden :]
