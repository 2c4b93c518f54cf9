"""Twins of layers/lstm.py: one pass over the gates of a step.

Each gate has a loop of its own. The compiler turns a loop over few arrays into SIMD instructions, but not one
over all of them.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp, tanh
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expects

CELLS = 1 << 14     # gates in a block, about 15 µs


@expects(a="n g", u="n g", c="n h")
def lstm_cell(
    a: np.ndarray, u: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    _expect_gates("lstm_cell", a.shape[1], c.shape[1])
    a, u, c = np.ascontiguousarray(a), np.ascontiguousarray(u), np.ascontiguousarray(c)
    gates = np.empty(a.shape, a.dtype)
    h, after, tanh_c = (np.empty(c.shape, c.dtype) for _ in range(3))
    share(_lstm_cell, (a, u, c, h, after, gates, tanh_c), each=a.shape[1], entries=CELLS)
    return h, after, gates, tanh_c


@expects(dh="n h", dc="n h", gates="n g", c="n h", tanh_c="n h")
def lstm_cell_backward(
    dh: np.ndarray, dc: np.ndarray, gates: np.ndarray, c: np.ndarray, tanh_c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    _expect_gates("lstm_cell_backward", gates.shape[1], c.shape[1])
    given = [np.ascontiguousarray(array) for array in (dh, dc, gates, c, tanh_c)]
    da, dc_before = np.empty(gates.shape, gates.dtype), np.empty(c.shape, c.dtype)
    share(_lstm_cell_backward, (*given, da, dc_before), each=gates.shape[1], entries=CELLS)
    return da, dc_before


def _expect_gates(who: str, columns: int, hidden: int) -> None:
    if columns != 4 * hidden:
        raise ValueError(f"{who} expected {4 * hidden} columns for four gates, got {columns}")


@kernel()
def _lstm_cell(a, u, c, h, after, gates, tanh_c):
    one = a.dtype.type(1)
    hidden = c.shape[1]
    for n in range(c.shape[0]):
        for j in range(2 * hidden):
            gates[n, j] = one / (one + exp(-(a[n, j] + u[n, j])))
        for j in range(2 * hidden, 3 * hidden):
            gates[n, j] = tanh(a[n, j] + u[n, j])
        for j in range(3 * hidden, 4 * hidden):
            gates[n, j] = one / (one + exp(-(a[n, j] + u[n, j])))
        i, f, g, o = _four(gates[n], hidden)
        for j in range(hidden):
            after[n, j] = f[j] * c[n, j] + i[j] * g[j]
        for j in range(hidden):
            tanh_c[n, j] = tanh(after[n, j])
        for j in range(hidden):
            h[n, j] = o[j] * tanh_c[n, j]


@kernel("contract")
def _lstm_cell_backward(dh, dc, gates, c, tanh_c, da, dc_before):
    one = c.dtype.type(1)
    hidden = c.shape[1]
    total = np.empty(hidden, c.dtype)
    for n in range(c.shape[0]):
        i, f, g, o = _four(gates[n], hidden)
        di, df, dg, do = _four(da[n], hidden)
        for j in range(hidden):
            total[j] = dc[n, j] + dh[n, j] * o[j] * (one - tanh_c[n, j] * tanh_c[n, j])
        for j in range(hidden):
            do[j] = dh[n, j] * tanh_c[n, j] * o[j] * (one - o[j])
        for j in range(hidden):
            di[j] = total[j] * g[j] * i[j] * (one - i[j])
        for j in range(hidden):
            df[j] = total[j] * c[n, j] * f[j] * (one - f[j])
        for j in range(hidden):
            dg[j] = total[j] * i[j] * (one - g[j] * g[j])
        for j in range(hidden):
            dc_before[n, j] = total[j] * f[j]


@kernel("contract")
def _four(row, hidden):
    return row[:hidden], row[hidden : 2 * hidden], row[2 * hidden : 3 * hidden], row[3 * hidden :]
