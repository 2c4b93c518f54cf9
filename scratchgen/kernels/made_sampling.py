"""Twin of fill_pixels in models/autoregressive/made_sampling.py.

Examples are computed one after another, so that their hidden layers stay in the L1 cache of the CPU. Rows of
the first weight matrix are skipped where the pixel is 0.
"""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.mathematics import exp
from scratchgen.kernels.shapes import expects


@expects(x="n d", uniform="n d", first="d h")
def fill_pixels(
    x: np.ndarray,
    uniform: np.ndarray,
    known: int,
    first: np.ndarray,
    upper: tuple[np.ndarray, ...],
    ends: tuple[np.ndarray, ...],
    starts: tuple[np.ndarray, ...],
) -> np.ndarray:
    _expect_network(x, known, first, upper, ends, starts)
    x = np.array(x, order="C")
    hidden = tuple(np.array(start, order="C") for start in starts)
    _fill_pixels(uniform, known, first, upper, ends, hidden, x)
    return x


def _expect_network(
    x: np.ndarray,
    known: int,
    first: np.ndarray,
    upper: tuple[np.ndarray, ...],
    ends: tuple[np.ndarray, ...],
    starts: tuple[np.ndarray, ...],
) -> None:
    """Check that the layers follow each other and that `ends` counts units of each of them."""
    (n, d), widths = x.shape, [first.shape[1], *(w.shape[0] for w in upper)]
    fits = len(upper) == len(ends) == len(starts) - 1 and widths[-1] == d and 0 <= known <= d
    fits = fits and all(w.shape[1] == below for w, below in zip(upper, widths, strict=False))
    fits = fits and all(start.shape == (n, width) for start, width in zip(starts, widths, strict=True))
    fits = fits and all(
        end.shape == (d,) and end.min() >= 0 and end.max() <= width and (np.diff(end) >= 0).all()
        for end, width in zip(ends, widths, strict=False)
    )
    if not fits:
        shapes = [a.shape for a in (first, *upper, *ends, *starts)]
        raise ValueError(f"fill_pixels expected the layers of one network for x {x.shape}, got {shapes}")


@kernel("contract", "reassoc", "nsz")
def _dot(a, b, size):
    total = a.dtype.type(0)
    for i in range(size):
        total += a[i] * b[i]
    return total


@kernel("contract")
def _fill_pixels(uniform, known, first, upper, ends, starts, x):
    depth = len(ends)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for n in range(x.shape[0]):
        for t in range(x.shape[1]):
            if t > 0:
                a = starts[0][n]
                if x[n, t - 1] != zero:
                    for k in range(ends[0][t - 1], a.size):
                        a[k] += first[t - 1, k]                                     # (MADE.8)
                for k in range(ends[0][t - 1], ends[0][t]):
                    a[k] = max(a[k], zero)
                for layer in range(1, depth):
                    h, below = starts[layer - 1][n], ends[layer - 1][t]
                    for k in range(ends[layer][t - 1], ends[layer][t]):
                        out = starts[layer][n, k] + _dot(h, upper[layer - 1][k], below)
                        starts[layer][n, k] = max(out, zero)                        # (MADE.9)
            if t >= known:
                h, below = starts[depth - 1][n], ends[depth - 1][t]
                logit = starts[depth][n, t] + _dot(h, upper[depth - 1][t], below)    # (MADE.10)
                x[n, t] = one if uniform[n, t] < one / (one + exp(-logit)) else zero
