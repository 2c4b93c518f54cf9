"""Images seen through an affine map; the formula stands in kernels/reference/warp.py."""

import math

from scratchgen.kernels.jit.compile import kernel


@kernel
def affine_warp(images, maps, out):
    number, half = images.dtype.type, images.dtype.type(0.5)
    height, width = images.shape[1], images.shape[2]
    centre_y, centre_x = half * number(height - 1), half * number(width - 1)
    for n in range(images.shape[0]):
        a, b, c, d, ty, tx = maps[n, 0], maps[n, 1], maps[n, 2], maps[n, 3], maps[n, 4], maps[n, 5]
        for i in range(height):
            for j in range(width):
                y = a * (number(i) - centre_y) + b * (number(j) - centre_x) + ty + centre_y
                x = c * (number(i) - centre_y) + d * (number(j) - centre_x) + tx + centre_x
                top, left = int(math.floor(y)), int(math.floor(x))
                fy, fx = y - number(top), x - number(left)
                total = number(0)
                for down in range(2):
                    weight_y = fy if down else number(1) - fy
                    row = top + down
                    if row < 0 or row >= height:
                        continue
                    for right in range(2):
                        column = left + right
                        if 0 <= column < width:
                            weight_x = fx if right else number(1) - fx
                            total += weight_y * weight_x * images[n, row, column]
                out[n, i, j] = total
