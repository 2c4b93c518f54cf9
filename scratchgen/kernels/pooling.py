"""Twins of layers/pooling.py. Threads share the examples, and the innermost loop is over channels."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expect_places, expects, window_places

Pair = tuple[int, int]


@expects(x="n h w c")
def max_pool(x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair) -> tuple[np.ndarray, np.ndarray]:
    places = window_places("max_pool", x.shape[1:3], kernel, stride, padding)
    out = np.empty((len(x), *places, x.shape[3]), x.dtype)
    where = np.empty(out.shape, np.int32)
    share(_max_pool, (np.ascontiguousarray(x), where, out), (*kernel, *stride, *padding), each=x[:1].size)
    return out, where


@expects(dout="n oh ow c", where="n oh ow c int")
def max_pool_backward(dout: np.ndarray, where: np.ndarray, size: Pair) -> np.ndarray:
    if where.size and not (where.min() >= 0 and where.max() < size[0] * size[1]):
        raise ValueError(f"max_pool_backward expected where to be pixels of {size[0]}x{size[1]} images")
    dx = np.empty((len(dout), *size, dout.shape[3]), dout.dtype)
    parts = np.ascontiguousarray(dout), np.ascontiguousarray(where), dx
    share(_max_pool_backward, parts, each=dx[:1].size)
    return dx


@expects(x="n h w c")
def avg_pool(x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    places = window_places("avg_pool", x.shape[1:3], kernel, stride, padding)
    out = np.empty((len(x), *places, x.shape[3]), x.dtype)
    share(_avg_pool, (np.ascontiguousarray(x), out), (*kernel, *stride, *padding), each=x[:1].size)
    return out


@expects(dout="n oh ow c")
def avg_pool_backward(dout: np.ndarray, size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    expect_places("avg_pool_backward", dout.shape[1:3], size, kernel, stride, padding)
    dx = np.empty((len(dout), *size, dout.shape[3]), dout.dtype)
    parts = np.ascontiguousarray(dout), dx
    share(_avg_pool_backward, parts, (*kernel, *stride, *padding), each=dx[:1].size)
    return dx



@kernel("contract")
def _max_pool(x, where, out, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w):
    examples, height, width, channels = x.shape
    _, out_h, out_w, _ = out.shape
    for n in range(examples):
        for i in range(out_h):
            top, bottom = max(0, i * stride_h - pad_h), min(height, i * stride_h - pad_h + kernel_h)
            for j in range(out_w):
                left, right = max(0, j * stride_w - pad_w), min(width, j * stride_w - pad_w + kernel_w)
                best, place = out[n, i, j], where[n, i, j]
                for c in range(channels):
                    best[c] = x[n, top, left, c]
                    place[c] = top * width + left
                for h in range(top, bottom):
                    for w in range(left, right):
                        cell = x[n, h, w]
                        here = where.dtype.type(h * width + w)
                        for c in range(channels):
                            better = cell[c] > best[c] or (cell[c] != cell[c] and best[c] == best[c])
                            place[c] = here if better else place[c]
                            best[c] = cell[c] if better else best[c]


@kernel("contract")
def _max_pool_backward(dout, where, dx):
    examples, height, width, channels = dx.shape
    _, out_h, out_w, _ = dout.shape
    cells = dx.reshape(examples, height * width, channels)
    dx[:] = 0
    for n in range(examples):
        for i in range(out_h):
            for j in range(out_w):
                for c in range(channels):
                    cells[n, where[n, i, j, c], c] += dout[n, i, j, c]


@kernel("contract")
def _avg_pool(x, out, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w):
    examples, height, width, channels = x.shape
    _, out_h, out_w, _ = out.shape
    inverse_size = x.dtype.type(1) / x.dtype.type(kernel_h * kernel_w)
    for n in range(examples):
        for i in range(out_h):
            top, bottom = max(0, i * stride_h - pad_h), min(height, i * stride_h - pad_h + kernel_h)
            for j in range(out_w):
                left, right = max(0, j * stride_w - pad_w), min(width, j * stride_w - pad_w + kernel_w)
                total = out[n, i, j]
                for c in range(channels):
                    total[c] = 0
                for h in range(top, bottom):
                    for w in range(left, right):
                        cell = x[n, h, w]
                        for c in range(channels):
                            total[c] += cell[c] * inverse_size


@kernel("contract")
def _avg_pool_backward(dout, dx, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w):
    examples, height, width, channels = dx.shape
    _, out_h, out_w, _ = dout.shape
    inverse_size = dout.dtype.type(1) / dout.dtype.type(kernel_h * kernel_w)
    dx[:] = 0
    for n in range(examples):
        for i in range(out_h):
            top, bottom = max(0, i * stride_h - pad_h), min(height, i * stride_h - pad_h + kernel_h)
            for j in range(out_w):
                left, right = max(0, j * stride_w - pad_w), min(width, j * stride_w - pad_w + kernel_w)
                dcell = dout[n, i, j]
                for h in range(top, bottom):
                    for w in range(left, right):
                        cell = dx[n, h, w]
                        for c in range(channels):
                            cell[c] += dcell[c] * inverse_size
