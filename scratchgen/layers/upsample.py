"""Upsampling: every pixel becomes a square of equal pixels. Derived in docs/diffusion.md."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import Array, positive
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer


@compiled
def upsample(x: Array, scale: int) -> Array:
    """out (N, scale·H, scale·W, C) for x (N, H, W, C)."""
    return x.repeat(scale, axis=1).repeat(scale, axis=2)                # (UP.1)


@compiled
def upsample_backward(dout: Array, scale: int) -> Array:
    """dx (N, H, W, C) for dout (N, scale·H, scale·W, C)."""
    dx = np.zeros(dout[:, ::scale, ::scale].shape, dout.dtype)
    for u in range(scale):
        for v in range(scale):
            dx += dout[:, u::scale, v::scale]                           # (UP.2)
    return dx


class Upsample(Layer):
    """Nearest-neighbour upsampling: every pixel is repeated in a square of scale × scale pixels.

    (UP.1)  out[n, i, j, c] = x[n, ⌊i/s⌋, ⌊j/s⌋, c]
    (UP.2)  dx[n, h, w, c]  = Σ_uv dout[n, s·h + u, s·w + v, c],  u, v = 0 … s − 1

    x (N, H, W, C), out (N, s·H, s·W, C). The backward pass is s² times average pooling. A convolution after
    it gives a learnt upsampling whose windows overlap evenly. Source: Odena et al. 2016, "Deconvolution and
    checkerboard artifacts". Derived in docs/diffusion.md.

    scale : s, an integer
    """

    def __init__(self, scale: int = 2):
        positive("Upsample", scale=scale)
        self.scale = scale

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple[tuple[int, ...], np.dtype]]:
        self.expect(x, ndim=4)
        return upsample(x, self.scale), (x.shape, x.dtype)              # (UP.1)

    def backward(self, dout: Array, cache: tuple[tuple[int, ...], np.dtype], input_grad: bool = True) -> Any:
        (n, height, width, channels), dtype = cache
        self.expect_gradient(dout, (n, self.scale * height, self.scale * width, channels), dtype)
        return upsample_backward(dout, self.scale) if input_grad else None      # (UP.2)

    def jvp(self, dx: Array, cache: tuple[tuple[int, ...], np.dtype]) -> Array:
        """Return J·dx: the tangent, upsampled."""
        self.expect_gradient(dx, *cache)
        return upsample(dx, self.scale)

    def __repr__(self) -> str:
        return f"Upsample({self.scale})"
