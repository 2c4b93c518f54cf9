"""Twins of layers/linear.py: products in blocks that threads share, or computed by a faster call."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.parts import share
from scratchgen.kernels.products import matmul
from scratchgen.kernels.shapes import expects

ROWS = 256      # of which a sum is made before it is added to others


@expects(x="... d", weight="d m", bias="m ?")
def affine(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    out = np.empty((*x.shape[:-1], weight.shape[1]), x.dtype)
    matmul(x.reshape(-1, weight.shape[0]), weight, out.reshape(-1, weight.shape[1]), bias)
    return out


@expects(dout="... m")
def affine_bias_grad(dout: np.ndarray) -> np.ndarray:
    return column_sums(dout.reshape(-1, dout.shape[-1]))


@expects(dout="... m", weight="d m")
def affine_input_grad(dout: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if weight.shape[1] == 1:    # an outer product: 0.04 ms for 128 x 6,272; as a matrix product 0.79 ms
        return dout * weight.T
    dx = np.empty((*dout.shape[:-1], weight.shape[0]), dout.dtype)
    matmul(dout.reshape(-1, weight.shape[1]), weight.T, dx.reshape(-1, weight.shape[0]))
    return dx


def column_sums(rows: np.ndarray) -> np.ndarray:
    """The sum of the rows of (M, C), in parts of ROWS rows, which are then added."""
    rows = np.ascontiguousarray(rows)
    whole = len(rows) // ROWS
    sums = np.empty((-(-len(rows) // ROWS), rows.shape[1]), rows.dtype)
    if whole:
        parts = rows[: whole * ROWS].reshape(whole, ROWS, rows.shape[1])
        share(_column_sums, (parts, sums[:whole]), each=ROWS * rows.shape[1])
    if len(sums) > whole:
        _column_sums(rows[None, whole * ROWS :], sums[whole:])
    if len(sums) == 1:
        return sums[0]
    total = np.empty((1, rows.shape[1]), rows.dtype)
    _column_sums(sums[None], total)
    return total[0]


@kernel("contract")
def _column_sums(parts, sums):
    for n in range(parts.shape[0]):
        total = sums[n]
        total[:] = 0
        for i in range(parts.shape[1]):
            row = parts[n, i]
            for j in range(row.size):
                total[j] += row[j]
