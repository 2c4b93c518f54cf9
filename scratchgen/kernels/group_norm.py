"""Twins of layers/group_norm.py, which compute the sums of several equations in one pass.

With g = weight·dout (GN.6), the lines (GN.8) to (GN.10) combine to

    dx = inv·(g − mean(g) − xhat·mean(g·xhat))

All sums are first over the pixels of an example, one for each channel. The sums of the channels then give the
means of the groups, and dweight and dbias (GN.7). Threads share the examples; one thread computes the sums
over examples.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.normalisation import norm_of_huge_numbers
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expects


@expects(x="n p c", weight="c", bias="c")
def group_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, groups: int, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _expect_groups("group_norm", x.shape, groups)
    x = np.ascontiguousarray(x)
    xhat, out = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    inv = np.empty((len(x), groups), x.dtype)
    share(_group_norm, (x, inv, xhat, out), (weight, bias, x.dtype.type(eps)), each=x[:1].size)
    if not (inv > 0).all():
        return _group_norm_of_huge_numbers(x, weight, bias, groups, eps)
    return out, xhat, inv


def _group_norm_of_huge_numbers(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, groups: int, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(out, xhat, inv) of numbers whose squares or sums overflow: layer norm of a row for each group."""
    n, p, c = x.shape
    width = c // groups
    rows = x.reshape(n, p, groups, width).swapaxes(1, 2).reshape(n * groups, p * width)
    one, zero = np.ones(p * width, x.dtype), np.zeros(p * width, x.dtype)
    _, xhat, inv, _, _ = norm_of_huge_numbers(rows, one, zero, eps, axis=1)
    xhat = xhat.reshape(n, groups, p, width).swapaxes(1, 2).reshape(x.shape)
    return weight * xhat + bias, xhat, inv.reshape(n, groups)


@expects(dout="n p c", xhat="n p c", inv="n g", weight="c")
def group_norm_backward(
    dout: np.ndarray, xhat: np.ndarray, inv: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _expect_groups("group_norm_backward", dout.shape, inv.shape[1])
    dout, xhat = np.ascontiguousarray(dout), np.ascontiguousarray(xhat)
    dx = np.empty(dout.shape, dout.dtype)
    sums = np.empty((2, len(dout), dout.shape[2]))      # Σ dout·xhat and Σ dout of each example and channel
    share(_group_norm_backward, (dout, xhat, inv, *sums, dx), (weight,), each=dout[:1].size)
    dweight, dbias = sums.sum(axis=1).astype(dout.dtype)
    return dx, dweight, dbias


def _expect_groups(who: str, shape: tuple[int, ...], groups: int) -> None:
    """Check that the channels of (N, P, C) can be divided into groups of the same size."""
    if shape[1] < 1 or groups < 1 or shape[2] < 1 or shape[2] % groups:
        raise ValueError(f"{who} expected images of {groups} equal groups of channels, got shape {shape}")


@kernel("contract")
def _group_norm(x, inv, xhat, out, weight, bias, eps):
    examples, pixels, channels = x.shape
    groups = inv.shape[1]
    width = channels // groups
    size = pixels * width
    one = x.dtype.type(1)
    total, squares = np.zeros(channels), np.zeros(channels)
    mean, scale = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for n in range(examples):
        total[:] = 0.0
        squares[:] = 0.0
        for p in range(pixels):
            for c in range(channels):
                total[c] += x[n, p, c]
        for g in range(groups):
            group_mean = x.dtype.type(_sum(total, g * width, width) / size)
            for c in range(g * width, (g + 1) * width):
                mean[c] = group_mean
                total[c] = 0.0
        for p in range(pixels):
            for c in range(channels):
                xc = x[n, p, c] - mean[c]
                total[c] += xc
                squares[c] += xc * xc
        for g in range(groups):
            residual = _sum(total, g * width, width) / size
            square = _sum(squares, g * width, width) / size
            var = square - min(residual * residual, square)     # infinite or NaN, if the squares overflow
            inv[n, g] = one / np.sqrt(x.dtype.type(var) + eps)
            for c in range(g * width, (g + 1) * width):
                mean[c] += residual
                scale[c] = inv[n, g]
        for p in range(pixels):
            for c in range(channels):
                xhat[n, p, c] = (x[n, p, c] - mean[c]) * scale[c]
                out[n, p, c] = weight[c] * xhat[n, p, c] + bias[c]


@kernel("contract")
def _group_norm_backward(dout, xhat, inv, sum_dout_xhat, sum_dout, dx, weight):
    examples, pixels, channels = dout.shape
    groups = inv.shape[1]
    width = channels // groups
    size = pixels * width
    mean_g, mean_g_xhat = np.empty(channels, dout.dtype), np.empty(channels, dout.dtype)
    scale = np.empty(channels, dout.dtype)
    for n in range(examples):
        sum_dout_xhat[n, :] = 0.0
        sum_dout[n, :] = 0.0
        for p in range(pixels):
            for c in range(channels):
                sum_dout_xhat[n, c] += dout[n, p, c] * xhat[n, p, c]
                sum_dout[n, c] += dout[n, p, c]
        for g in range(groups):
            total, total_xhat = 0.0, 0.0
            for c in range(g * width, (g + 1) * width):
                total += weight[c] * sum_dout[n, c]
                total_xhat += weight[c] * sum_dout_xhat[n, c]
            for c in range(g * width, (g + 1) * width):
                mean_g[c], mean_g_xhat[c] = total / size, total_xhat / size
                scale[c] = inv[n, g]
        for p in range(pixels):
            for c in range(channels):
                g = weight[c] * dout[n, p, c]
                dx[n, p, c] = scale[c] * (g - mean_g[c] - xhat[n, p, c] * mean_g_xhat[c])


@kernel("contract")
def _sum(values, start, count):
    total = 0.0
    for i in range(start, start + count):
        total += values[i]
    return total
