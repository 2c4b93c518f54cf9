"""Batch and layer normalisation with their sums fused; the mirrored derivation stands in kernels/reference.

With g = weight·dout (BN.6), the lines (BN.8) to (BN.10) come together as

    dx = inv·(g − mean(g) − xhat·mean(g·xhat))

and down a column weight is one number, so both means are dbias and dweight (BN.7) over M. Layer norm is the
same along a row, (LN.8) to (LN.10), where weight stays inside the means.

Column sums run in float64, down thousands of rows: a float32 sum of 12,544 rows is only good to about 1e-5.
"""

import numpy as np

from scratchgen.kernels.jit.compile import kernel


@kernel
def batch_norm_forward(x, weight, bias, eps, mean, var, inv, xhat, out):
    rows, channels = x.shape
    one = x.dtype.type(1)
    total = np.zeros(channels)
    for m in range(rows):
        for c in range(channels):
            total[c] += x[m, c]
    for c in range(channels):
        mean[c] = total[c] / rows
        total[c] = 0.0
    for m in range(rows):
        for c in range(channels):
            xc = x[m, c] - mean[c]
            total[c] += xc * xc
    for c in range(channels):
        var[c] = total[c] / rows
        inv[c] = one / np.sqrt(var[c] + eps)
    for m in range(rows):
        for c in range(channels):
            xhat[m, c] = (x[m, c] - mean[c]) * inv[c]
            out[m, c] = weight[c] * xhat[m, c] + bias[c]


@kernel
def batch_norm_backward(dout, xhat, inv, weight, dweight, dbias, dx):
    rows, channels = dout.shape
    affine_backward(dout, xhat, dweight, dbias)
    share = dout.dtype.type(1) / dout.dtype.type(rows)
    scale = weight * inv
    mean_pull = dbias * share
    mean_tilt = dweight * share
    for m in range(rows):
        for c in range(channels):
            dx[m, c] = scale[c] * (dout[m, c] - mean_pull[c] - xhat[m, c] * mean_tilt[c])


@kernel
def affine_backward(dout, xhat, dweight, dbias):
    rows, channels = dout.shape
    tilt, pull = np.zeros(channels), np.zeros(channels)
    for m in range(rows):
        for c in range(channels):
            tilt[c] += dout[m, c] * xhat[m, c]
            pull[c] += dout[m, c]
    for c in range(channels):
        dweight[c], dbias[c] = tilt[c], pull[c]


@kernel
def layer_norm_forward(x, weight, bias, eps, inv, xhat, out):
    rows, channels = x.shape
    one = x.dtype.type(1)
    share = one / x.dtype.type(channels)
    for m in range(rows):
        mean = x.dtype.type(0)
        for c in range(channels):
            mean += x[m, c]
        mean *= share
        var = x.dtype.type(0)
        for c in range(channels):
            xc = x[m, c] - mean
            var += xc * xc
        inv[m] = one / np.sqrt(var * share + eps)
        for c in range(channels):
            xhat[m, c] = (x[m, c] - mean) * inv[m]
            out[m, c] = weight[c] * xhat[m, c] + bias[c]


@kernel
def layer_norm_backward(dout, xhat, inv, weight, dx):
    rows, channels = dout.shape
    share = dout.dtype.type(1) / dout.dtype.type(channels)
    for m in range(rows):
        pull, tilt = dout.dtype.type(0), dout.dtype.type(0)
        for c in range(channels):
            g = weight[c] * dout[m, c]
            pull += g
            tilt += g * xhat[m, c]
        pull *= share
        tilt *= share
        for c in range(channels):
            dx[m, c] = inv[m] * (weight[c] * dout[m, c] - pull - xhat[m, c] * tilt)
