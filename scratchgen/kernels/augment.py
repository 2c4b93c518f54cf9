"""Twin of affine_warp in data/augment.py. Images are warped one by one, with a border of zeros."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.shapes import expects


@expects(images="n h w", maps="n six")
def affine_warp(images: np.ndarray, maps: np.ndarray, sharpness: float) -> np.ndarray:
    if maps.shape[1] != 6:
        raise ValueError(f"affine_warp expected maps of shape (N, 6), got {maps.shape}")
    images = np.ascontiguousarray(images)
    out = np.empty_like(images)
    _affine_warp(images, np.ascontiguousarray(maps), images.dtype.type(-sharpness), out)
    return out


@njit(inline="always", error_model="numpy")
def cubic_weights(t, a, weights):
    """Write the weights of the pixels at −1, 0, 1 and 2 for a position t between 0 and 1."""
    one = weights.dtype.type(1)
    two, three = one + one, one + one + one
    s = one - t
    weights[0] = a * t * s * s
    weights[1] = ((a + two) * t - (a + three)) * t * t + one
    weights[2] = ((a + two) * s - (a + three)) * s * s + one
    weights[3] = a * s * t * t


@kernel()
def _affine_warp(images, maps, a_keys, out):
    number = images.dtype.type
    zero, one, three, half = number(0), number(1), number(3), number(0.5)
    height, width = images.shape[1], images.shape[2]
    centre_y, centre_x = half * number(height - 1), half * number(width - 1)
    weight_y, weight_x = np.empty(4, images.dtype), np.empty(4, images.dtype)
    # Four rows and columns of zeros on every side, so that the position of a neighbour needs no check.
    padded = np.zeros((height + 8, width + 8), images.dtype)
    for n in range(images.shape[0]):
        a, b, c, d, ty, tx = maps[n, 0], maps[n, 1], maps[n, 2], maps[n, 3], maps[n, 4], maps[n, 5]
        if a == one and b == zero and c == zero and d == one and ty == zero and tx == zero:
            out[n] = images[n]
            continue
        padded[4 : 4 + height, 4 : 4 + width] = images[n]
        for i in range(height):
            for j in range(width):
                y = a * (number(i) - centre_y) + b * (number(j) - centre_x) + ty + centre_y
                x = c * (number(i) - centre_y) + d * (number(j) - centre_x) + tx + centre_x
                y, x = min(max(y, -three), number(height + 1)), min(max(x, -three), number(width + 1))
                top, left = math.floor(y), math.floor(x)
                cubic_weights(y - number(top), a_keys, weight_y)
                cubic_weights(x - number(left), a_keys, weight_x)
                first_row, first_column = np.uint32(top + 3), np.uint32(left + 3)
                total = zero
                for down in range(np.uint32(4)):
                    line = zero
                    for right in range(np.uint32(4)):
                        line += weight_x[right] * padded[first_row + down, first_column + right]
                    total += weight_y[down] * line
                out[n, i, j] = min(max(total, zero), one)
