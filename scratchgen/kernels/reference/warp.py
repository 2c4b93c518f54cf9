"""Images seen through an affine map, in plain NumPy."""

import numpy as np


def affine_warp(images, maps, out):
    """out[n, i, j] = images[n] at (y, x), bilinear between its four neighbours, 0 outside.

    images, out (N, H, W); maps (N, 6), rows (a, b, c, d, ty, tx). With (i, j) taken from the image's centre,
    y = a·i + b·j + ty and x = c·i + d·j + tx.
    """
    n, height, width = images.shape
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    i = (np.arange(height, dtype=images.dtype) - centre_y)[None, :, None]
    j = (np.arange(width, dtype=images.dtype) - centre_x)[None, None, :]
    a, b, c, d, ty, tx = (maps[:, k, None, None] for k in range(6))
    y = a * i + b * j + ty + centre_y  # (N, H, W)
    x = c * i + d * j + tx + centre_x
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    fy, fx = y - top, x - left
    out[:] = 0
    for down, weight_y in ((0, 1 - fy), (1, fy)):
        for right, weight_x in ((0, 1 - fx), (1, fx)):
            row, column = top + down, left + right
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
            pixel = images[np.arange(n)[:, None, None], row, column]
            out += np.where(inside, weight_y * weight_x * pixel, 0)
