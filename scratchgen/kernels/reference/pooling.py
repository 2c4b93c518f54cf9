"""Pooling in plain NumPy: x is (N, H, W, C), out (N, OH, OW, C). The last arguments are written."""

import numpy as np


def max_pool_forward(x, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, where, out):
    _, height, width, _ = x.shape
    _, out_h, out_w, _ = out.shape
    out[:] = -np.inf
    where[:] = -1
    for u in range(kernel_h):
        for v in range(kernel_w):
            h = np.arange(out_h) * stride_h - pad_h + u
            w = np.arange(out_w) * stride_w - pad_w + v
            inside = ((h >= 0) & (h < height))[:, None] & ((w >= 0) & (w < width))  # (OH, OW)
            cell = x[:, h.clip(0, height - 1)][:, :, w.clip(0, width - 1)]          # (N, OH, OW, C)
            # Strictly greater: the first of equals stays. The first cell inside is taken, be it -inf.
            better = (cell > out) | (np.isnan(cell) & ~np.isnan(out)) | (where < 0)
            better &= inside[:, :, None]
            np.copyto(out, cell, where=better)                                      # (MAXP.1)
            np.copyto(where, (h[:, None] * width + w)[:, :, None], where=better)


def max_pool_backward(dout, where, dx):
    examples, height, width, channels = dx.shape
    dx[:] = 0
    n = np.arange(examples)[:, None, None, None]
    c = np.arange(channels)
    np.add.at(dx.reshape(examples, height * width, channels), (n, where, c), dout)  # (MAXP.2)


def avg_pool_forward(x, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, out):
    _, out_h, out_w, _ = out.shape
    padded = np.pad(x, ((0, 0), (pad_h, pad_h), (pad_w, pad_w), (0, 0)))
    out[:] = 0
    for u in range(kernel_h):
        for v in range(kernel_w):
            rows = slice(u, u + stride_h * out_h, stride_h)
            columns = slice(v, v + stride_w * out_w, stride_w)
            out += padded[:, rows, columns]
    out /= kernel_h * kernel_w                                                      # (AVGP.1)


def avg_pool_backward(dout, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dx):
    examples, height, width, channels = dx.shape
    _, out_h, out_w, _ = dout.shape
    padded = np.zeros((examples, height + 2 * pad_h, width + 2 * pad_w, channels), dx.dtype)
    for u in range(kernel_h):
        for v in range(kernel_w):
            rows = slice(u, u + stride_h * out_h, stride_h)
            columns = slice(v, v + stride_w * out_w, stride_w)
            padded[:, rows, columns] += dout / (kernel_h * kernel_w)                # (AVGP.2)
    dx[:] = padded[:, pad_h : pad_h + height, pad_w : pad_w + width]
