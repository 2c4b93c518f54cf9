"""Twins of layers/normalisation.py, which compute the sums of several equations in one pass.

With g = weight·dout (BN.6), the lines (BN.8) to (BN.10) combine to

    dx = inv·(g − mean(g) − xhat·mean(g·xhat))

In batch norm, weight is one number per column, so both means follow from dbias and dweight (BN.7). Layer norm
has the same formula along a row, (LN.8) to (LN.10), but weight varies within the row.

The mean of a row or column is computed in float64 and then corrected by the mean of the residuals. So the
mean of equal numbers is exactly that number. Sums over columns also need float64 because they are over
thousands of rows: a float32 sum of 12,544 rows is only accurate to about 1e-5.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import row_sum, row_sum_in_double, row_sum_of_squares
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expects


@expects(x="m c", weight="c", bias="c")
def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x = np.ascontiguousarray(x)
    mean, var, inv = np.empty((3, x.shape[1]), x.dtype)
    xhat, out = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    _batch_norm(x, weight, bias, x.dtype.type(eps), mean, var, inv, xhat, out)
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
    _batch_norm_backward(dout, xhat, inv, weight, dweight, dbias, dx)
    return dx, dweight, dbias


@expects(dout="m c", xhat="m c")
def scale_shift_backward(dout: np.ndarray, xhat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dweight, dbias = np.empty((2, dout.shape[1]), dout.dtype)
    _scale_shift_backward(np.ascontiguousarray(dout), np.ascontiguousarray(xhat), dweight, dbias)
    return dweight, dbias


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


@kernel("contract")
def _batch_norm(x, weight, bias, eps, mean, var, inv, xhat, out):
    rows, channels = x.shape
    one = x.dtype.type(1)
    total, squares = np.zeros(channels), np.zeros(channels)
    for m in range(rows):
        for c in range(channels):
            total[c] += x[m, c]
    for c in range(channels):
        mean[c] = total[c] / rows
        total[c] = 0.0
    for m in range(rows):
        for c in range(channels):
            xc = x[m, c] - mean[c]
            total[c] += xc
            squares[c] += xc * xc
    for c in range(channels):
        residual = total[c] / rows
        mean[c] += residual
        square = squares[c] / rows
        var[c] = square - min(residual * residual, square)      # a NaN, if the squares overflow
        inv[c] = one / np.sqrt(var[c] + eps)
    for m in range(rows):
        for c in range(channels):
            xhat[m, c] = (x[m, c] - mean[c]) * inv[c]
            out[m, c] = weight[c] * xhat[m, c] + bias[c]


@kernel("contract")
def _batch_norm_backward(dout, xhat, inv, weight, dweight, dbias, dx):
    rows, channels = dout.shape
    _scale_shift_backward(dout, xhat, dweight, dbias)
    inverse_size = dout.dtype.type(1) / dout.dtype.type(rows)
    scale = weight * inv
    mean_dout = dbias * inverse_size
    mean_dout_xhat = dweight * inverse_size
    for m in range(rows):
        for c in range(channels):
            dx[m, c] = scale[c] * (dout[m, c] - mean_dout[c] - xhat[m, c] * mean_dout_xhat[c])


@kernel("contract")
def _scale_shift_backward(dout, xhat, dweight, dbias):
    rows, channels = dout.shape
    sum_dout_xhat, sum_dout = np.zeros(channels), np.zeros(channels)
    for m in range(rows):
        for c in range(channels):
            sum_dout_xhat[c] += dout[m, c] * xhat[m, c]
            sum_dout[c] += dout[m, c]
    for c in range(channels):
        dweight[c], dbias[c] = sum_dout_xhat[c], sum_dout[c]


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
    inverse_size = dout.dtype.type(1) / dout.dtype.type(channels)
    for m in range(rows):
        mean_g, mean_g_xhat = _sums(dout[m], xhat[m], weight)
        mean_g *= inverse_size
        mean_g_xhat *= inverse_size
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
