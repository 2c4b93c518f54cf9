"""Three textbook convolutions in plain NumPy, as baselines for Conv2d.

Images are (N, C, H, W) and weights (F, C, KH, KW), as is usual in such code. Each function computes one
forward and one backward pass: it takes x, weight, bias, dout, stride and padding, and returns out, dx,
dweight and dbias. The code is the usual one of textbooks, and was not made slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def loops(x, weight, bias, dout, stride, pad) -> Arrays:
    """Four loops, over examples, filters, rows and columns; each step multiplies one patch by one filter."""
    n, _, height, width = x.shape
    filters, _, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out_h, out_w = (height + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1
    out = np.zeros((n, filters, out_h, out_w), x.dtype)
    for example in range(n):
        for f in range(filters):
            for i in range(out_h):
                for j in range(out_w):
                    top, left = i * stride, j * stride
                    patch = padded[example, :, top : top + kh, left : left + kw]
                    out[example, f, i, j] = np.sum(patch * weight[f]) + bias[f]

    dpadded, dweight, dbias = np.zeros_like(padded), np.zeros_like(weight), np.zeros_like(bias)
    for example in range(n):
        for f in range(filters):
            for i in range(out_h):
                for j in range(out_w):
                    top, left = i * stride, j * stride
                    patch = padded[example, :, top : top + kh, left : left + kw]
                    slope = dout[example, f, i, j]
                    dweight[f] += patch * slope
                    dbias[f] += slope
                    dpadded[example, :, top : top + kh, left : left + kw] += weight[f] * slope
    return out, dpadded[:, :, pad : pad + height, pad : pad + width], dweight, dbias


def slices(x, weight, bias, dout, stride, pad) -> Arrays:
    """im2col and col2im by a loop over the pixels of the kernel; each is a strided slice of the image."""
    n, channels, height, width = x.shape
    filters, _, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out_h, out_w = (height + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1
    col = np.zeros((n, channels, kh, kw, out_h, out_w), x.dtype)
    for u in range(kh):
        for v in range(kw):
            below, right = u + stride * out_h, v + stride * out_w
            col[:, :, u, v] = padded[:, :, u:below:stride, v:right:stride]
    col = col.transpose(0, 4, 5, 1, 2, 3).reshape(n * out_h * out_w, -1)
    matrix = weight.reshape(filters, -1).T
    out = (col @ matrix + bias).reshape(n, out_h, out_w, filters).transpose(0, 3, 1, 2)

    dout = dout.transpose(0, 2, 3, 1).reshape(-1, filters)
    dbias = dout.sum(axis=0)
    dweight = (col.T @ dout).T.reshape(weight.shape)
    dcol = (dout @ matrix.T).reshape(n, out_h, out_w, channels, kh, kw).transpose(0, 3, 4, 5, 1, 2)
    dpadded = np.zeros_like(padded)
    for u in range(kh):
        for v in range(kw):
            below, right = u + stride * out_h, v + stride * out_w
            dpadded[:, :, u:below:stride, v:right:stride] += dcol[:, :, u, v]
    return out, dpadded[:, :, pad : pad + height, pad : pad + width], dweight, dbias


def indices(x, weight, bias, dout, stride, pad) -> Arrays:
    """im2col by index arrays, and col2im by np.add.at with the same indices."""
    n, channels, height, width = x.shape
    filters, _, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out_h, out_w = (height + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1
    c, u, v = (a.reshape(-1, 1) for a in np.indices((channels, kh, kw)))        # (C·KH·KW, 1)
    i, j = (stride * a.reshape(1, -1) for a in np.indices((out_h, out_w)))      # (1, OH·OW)
    col = padded[:, c, u + i, v + j]                                            # (N, C·KH·KW, OH·OW)
    col = col.transpose(1, 2, 0).reshape(channels * kh * kw, -1)
    matrix = weight.reshape(filters, -1)
    out = (matrix @ col + bias[:, None]).reshape(filters, out_h, out_w, n).transpose(3, 0, 1, 2)

    dout = dout.transpose(1, 2, 3, 0).reshape(filters, -1)
    dbias = dout.sum(axis=1)
    dweight = (dout @ col.T).reshape(weight.shape)
    dcol = (matrix.T @ dout).reshape(channels * kh * kw, out_h * out_w, n).transpose(2, 0, 1)
    dpadded = np.zeros_like(padded)
    places: Any = (slice(None), c, u + i, v + j)
    np.add.at(dpadded, places, dcol)
    return out, dpadded[:, :, pad : pad + height, pad : pad + width], dweight, dbias
