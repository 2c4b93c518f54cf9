"""Images to the matrix of their patches and back, in plain NumPy.

x is (N, H, W, C), cols (N, OH, OW, KH, KW, C); cells outside the image count as zero. The last argument is
written.
"""

import numpy as np


def im2col(x, stride_h, stride_w, pad_h, pad_w, cols):
    _, out_h, out_w, kernel_h, kernel_w, _ = cols.shape
    padded = np.pad(x, ((0, 0), (pad_h, pad_h), (pad_w, pad_w), (0, 0)))
    for u in range(kernel_h):
        for v in range(kernel_w):
            rows = slice(u, u + stride_h * out_h, stride_h)
            columns = slice(v, v + stride_w * out_w, stride_w)
            cols[:, :, :, u, v] = padded[:, rows, columns]                          # (CONV.1)


def col2im(cols, stride_h, stride_w, pad_h, pad_w, x):
    examples, height, width, channels = x.shape
    _, out_h, out_w, kernel_h, kernel_w, _ = cols.shape
    padded = np.zeros((examples, height + 2 * pad_h, width + 2 * pad_w, channels), x.dtype)
    for u in range(kernel_h):
        for v in range(kernel_w):
            rows = slice(u, u + stride_h * out_h, stride_h)
            columns = slice(v, v + stride_w * out_w, stride_w)
            padded[:, rows, columns] += cols[:, :, :, u, v]                         # (CONV.6)
    x[:] = padded[:, pad_h : pad_h + height, pad_w : pad_w + width]
