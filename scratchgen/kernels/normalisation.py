"""Twins of layers/normalisation.py, which compute the sums of several equations in one pass.

With g = weight·dout (BN.6), the lines (BN.8) to (BN.10) combine to

    dx = inv·(g − mean(g) − xhat·mean(g·xhat))

In batch norm, weight is one number per column, so both means follow from dbias and dweight (BN.7). Layer norm
has the same formula along a row, (LN.8) to (LN.10), but weight varies within the row.

The mean of a row or column is computed in float64 and then corrected by the mean of the residuals. So the
mean of equal numbers is exactly that number. Sums over columns also need float64 because they are over
thousands of rows: a float32 sum of 12,544 rows is only accurate to about 1e-5. The rows are divided
into parts, which threads share, and the sums of the parts are added in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import row_sum, row_sum_in_double, row_sum_of_squares
from scratchgen.kernels.parts import ENTRIES, share
from scratchgen.kernels.shapes import expects

WHOLE = 1 << 17     # up to this many numbers, one thread is faster than several


@expects(x="m c", weight="c", bias="c")
def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x = np.ascontiguousarray(x)
    mean, var, inv = np.empty((3, x.shape[1]), x.dtype)
    xhat, out = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    if x.size <= WHOLE:
        _batch_norm(x, weight, bias, x.dtype.type(eps), mean, var, inv, xhat, out)
    else:
        _first_mean(_column_sums(_add_rows, x), len(x), mean)
        _moments(_column_sums(_add_residuals, x, mean), len(x), x.dtype.type(eps), mean, var, inv)
        share(_scale_and_shift, (x, xhat, out), (weight, bias, mean, inv), each=x.shape[1])
    if not np.isfinite(var).all():
        return norm_of_huge_numbers(x, weight, bias, eps, axis=0)
    return out, xhat, inv, mean, var


@expects(dout="m c", xhat="m c", inv="c", weight="c")
def batch_norm_backward(
    dout: np.ndarray, xhat: np.ndarray, inv: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dout, xhat = np.ascontiguousarray(dout), np.ascontiguousarray(xhat)
    dweight, dbias = np.empty((2, dout.shape[1]), dout.dtype)
    dx = np.empty(dout.shape, dout.dtype)
    if dout.size <= WHOLE:
        _whole_batch_norm_backward(dout, xhat, inv, weight, dweight, dbias, dx)
        return dx, dweight, dbias
    with np.errstate(all="ignore"):
        dweight[...], dbias[...] = _column_sums(_add_products, dout, xhat)
        inverse_size = dout.dtype.type(1) / dout.dtype.type(len(dout))
        means = (weight * inv, dbias * inverse_size, dweight * inverse_size)
    share(_batch_norm_backward, (dout, xhat, dx), means, each=dout.shape[1])
    return dx, dweight, dbias


@expects(dout="m c", xhat="m c")
def scale_shift_backward(dout: np.ndarray, xhat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dweight, dbias = np.empty((2, dout.shape[1]), dout.dtype)
    sums = _column_sums(_add_products, np.ascontiguousarray(dout), np.ascontiguousarray(xhat))
    with np.errstate(all="ignore"):
        dweight[...], dbias[...] = sums
    return dweight, dbias


def _column_sums(loop: Any, x: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    """The sums (2, C) that a loop adds up over the rows of x (M, C), in float64."""
    step = max(1, ENTRIES // x.shape[1])
    parts = np.arange(max(1, -(-len(x) // step)))
    sums = np.zeros((len(parts), 2, x.shape[1]))
    share(loop, (parts, sums), (x, x if other is None else other, step), entries=1)
    total: np.ndarray = sums[0]
    for part in sums[1:]:
        total += part
    return total


@expects(x="m c", weight="c", bias="c")
def layer_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.ascontiguousarray(x)
    xhat, out = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    inv = np.empty((len(x), 1), x.dtype)
    share(_layer_norm, (x, inv[:, 0], xhat, out), (weight, bias, x.dtype.type(eps)), each=x.shape[1])
    if not (inv > 0).all():
        out, xhat, inv, _, _ = norm_of_huge_numbers(x, weight, bias, eps, axis=1)
        return out, xhat, inv[:, None]
    return out, xhat, inv


def norm_of_huge_numbers(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, axis: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(out, xhat, inv, mean, var) if squares or sums overflow, computed as in the readable functions."""
    size = x.shape[axis]
    with np.errstate(all="ignore"):
        mean = (x / size).sum(axis=axis, keepdims=True)
        mean += ((x - mean) / size).sum(axis=axis, keepdims=True)
        xc = x - mean
        largest = np.abs(xc).max(axis=axis, keepdims=True)
        huge = largest > np.finfo(x.dtype).max ** 0.4
        unit = np.ldexp(np.ones_like(largest), np.where(huge, np.frexp(largest)[1] - 1, 0))
        xc /= unit
        var = (xc**2).mean(axis=axis, keepdims=True)
        inv = 1 / np.sqrt(var + eps / unit / unit)
        xhat = xc * inv
        columns = (a.squeeze(axis) for a in (inv / unit, mean, var * unit * unit))
        return (weight * xhat + bias, xhat, *columns)  # type: ignore[return-value]


@expects(dout="m c", xhat="m c", inv="m one", weight="c")
def layer_norm_backward(
    dout: np.ndarray, xhat: np.ndarray, inv: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    dout, xhat = np.ascontiguousarray(dout), np.ascontiguousarray(xhat)
    if inv.shape[1] != 1:
        raise ValueError(f"layer_norm_backward expected inv of shape (M, 1), got {inv.shape}")
    dx = np.empty(dout.shape, dout.dtype)
    share(_layer_norm_backward, (dout, xhat, inv[:, 0], dx), (weight,), each=dout.shape[1])
    return dx


# Each part has `step` rows of x; sums (parts, 2, C) are zero at first.


@kernel("contract")
def _add_rows(parts, sums, x, other, step):
    for i in range(parts.size):
        total = sums[i, 0]
        for m in range(parts[i] * step, min((parts[i] + 1) * step, x.shape[0])):
            for c in range(x.shape[1]):
                total[c] += x[m, c]


@kernel("contract")
def _add_residuals(parts, sums, x, mean, step):
    for i in range(parts.size):
        total, squares = sums[i, 0], sums[i, 1]
        for m in range(parts[i] * step, min((parts[i] + 1) * step, x.shape[0])):
            for c in range(x.shape[1]):
                xc = x[m, c] - mean[c]
                total[c] += xc
                squares[c] += xc * xc


@kernel("contract")
def _add_products(parts, sums, dout, xhat, step):
    for i in range(parts.size):
        products, total = sums[i, 0], sums[i, 1]
        for m in range(parts[i] * step, min((parts[i] + 1) * step, dout.shape[0])):
            for c in range(dout.shape[1]):
                products[c] += dout[m, c] * xhat[m, c]
                total[c] += dout[m, c]


@kernel("contract")
def _first_mean(sums, rows, mean):
    for c in range(mean.size):
        mean[c] = sums[0, c] / rows


@kernel("contract")
def _moments(sums, rows, eps, mean, var, inv):
    one = mean.dtype.type(1)
    for c in range(mean.size):
        residual = sums[0, c] / rows
        mean[c] += residual
        square = sums[1, c] / rows
        var[c] = square - min(residual * residual, square)      # a NaN, if the squares overflow
        inv[c] = one / np.sqrt(var[c] + eps)


@kernel("contract")
def _scale_and_shift(x, xhat, out, weight, bias, mean, inv):
    for m in range(x.shape[0]):
        for c in range(x.shape[1]):
            xhat[m, c] = (x[m, c] - mean[c]) * inv[c]
            out[m, c] = weight[c] * xhat[m, c] + bias[c]


@kernel("contract")
def _batch_norm_backward(dout, xhat, dx, scale, mean_dout, mean_dout_xhat):
    for m in range(dout.shape[0]):
        for c in range(dout.shape[1]):
            dx[m, c] = scale[c] * (dout[m, c] - mean_dout[c] - xhat[m, c] * mean_dout_xhat[c])


@kernel("contract")
def _batch_norm(x, weight, bias, eps, mean, var, inv, xhat, out):
    parts, rows = np.zeros(1, np.int64), x.shape[0]
    sums = np.zeros((1, 2, x.shape[1]))
    _add_rows(parts, sums, x, x, rows)
    _first_mean(sums[0], rows, mean)
    sums[:] = 0
    _add_residuals(parts, sums, x, mean, rows)
    _moments(sums[0], rows, eps, mean, var, inv)
    _scale_and_shift(x, xhat, out, weight, bias, mean, inv)


@kernel("contract")
def _whole_batch_norm_backward(dout, xhat, inv, weight, dweight, dbias, dx):
    rows = dout.shape[0]
    sums = np.zeros((1, 2, dout.shape[1]))
    _add_products(np.zeros(1, np.int64), sums, dout, xhat, rows)
    dweight[:], dbias[:] = sums[0, 0], sums[0, 1]
    inverse_size = dout.dtype.type(1) / dout.dtype.type(rows)
    _batch_norm_backward(dout, xhat, dx, weight * inv, dbias * inverse_size, dweight * inverse_size)


@kernel("contract")
def _layer_norm(x, inv, xhat, out, weight, bias, eps):
    rows, channels = x.shape
    one = x.dtype.type(1)
    inverse_size = one / x.dtype.type(channels)
    for m in range(rows):
        mean = x.dtype.type(row_sum_in_double(x[m]) / channels)
        xc = xhat[m]
        for c in range(channels):
            xc[c] = x[m, c] - mean
        residual = row_sum(xc) * inverse_size
        square = row_sum_of_squares(xc) * inverse_size
        var = square - min(residual * residual, square)         # a NaN, if the squares overflow
        inv[m] = one / np.sqrt(var + eps)
        mean += residual
        for c in range(channels):
            xhat[m, c] = (x[m, c] - mean) * inv[m]
            out[m, c] = weight[c] * xhat[m, c] + bias[c]


@kernel("contract")
def _layer_norm_backward(dout, xhat, inv, dx, weight):
    rows, channels = dout.shape
    size = dout.dtype.type(channels)
    for m in range(rows):
        mean_g, mean_g_xhat = _sums(dout[m], xhat[m], weight)
        mean_g /= size      # not multiplied by 1/size: there would be two products in the difference below
        mean_g_xhat /= size
        for c in range(channels):
            dx[m, c] = inv[m] * (weight[c] * dout[m, c] - mean_g - xhat[m, c] * mean_g_xhat)


@kernel("contract", "reassoc", "nsz")
def _sums(dout, xhat, weight):
    sum_g, sum_g_xhat = dout.dtype.type(0), dout.dtype.type(0)
    for c in range(dout.size):
        g = weight[c] * dout[c]
        sum_g += g
        sum_g_xhat += g * xhat[c]
    return sum_g, sum_g_xhat
