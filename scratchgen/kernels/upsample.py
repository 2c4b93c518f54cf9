"""Twins of layers/upsample.py. Threads share the examples."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expects


@expects(x="n h w c")
def upsample(x: np.ndarray, scale: int) -> np.ndarray:
    _expect_scale("upsample", scale)
    n, height, width, channels = x.shape
    out = np.empty((n, scale * height, scale * width, channels), x.dtype)
    share(_upsample, (np.ascontiguousarray(x), out), (scale,), each=out[:1].size)
    return out


@expects(dout="n h w c")
def upsample_backward(dout: np.ndarray, scale: int) -> np.ndarray:
    _expect_scale("upsample_backward", scale)
    n, height, width, channels = dout.shape
    if height % scale or width % scale:
        raise ValueError(
            f"upsample_backward expected H and W to be multiples of {scale}, got {height}x{width}"
        )
    dx = np.zeros((n, height // scale, width // scale, channels), dout.dtype)
    share(_upsample_backward, (np.ascontiguousarray(dout), dx), (scale,), each=dout[:1].size)
    return dx


def _expect_scale(who: str, scale: int) -> None:
    if scale < 1:
        raise ValueError(f"{who} expected a scale of at least 1, got {scale}")


@kernel("contract")
def _upsample(x, out, scale):
    for n in range(out.shape[0]):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                pixel = x[n, i // scale, j // scale]
                for c in range(pixel.size):
                    out[n, i, j, c] = pixel[c]


@kernel("contract")
def _upsample_backward(dout, dx, scale):
    for n in range(dx.shape[0]):
        for h in range(dx.shape[1]):
            for w in range(dx.shape[2]):
                total = dx[n, h, w]
                for u in range(scale):
                    for v in range(scale):
                        pixel = dout[n, scale * h + u, scale * w + v]
                        for c in range(total.size):
                            total[c] += pixel[c]
