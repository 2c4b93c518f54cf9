"""New examples out of old ones: digits moved a little, grey pixels made black or white, or continuous."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scratchgen import kernels

BINARISATIONS = {
    "dynamic": "binarised anew each time: a grey pixel is the probability of a 1",
    "fixed": "binarised once, before training: a grey pixel is the probability of a 1",
    "none": "as they are",
}
"""What a model of black and white pixels may do with grey ones in `fit`, and how it is described."""


@dataclass(frozen=True)
class Jitter:
    """Turn, stretch, slant and shift every image a little, anew each time it is seen.

    Each image gets an affine map of its own, drawn from centred Normal distributions with these spreads:

    turn    : of the angle, in radians
    stretch : of the logarithm of the scale, for height and width apart
    slant   : of the shear along the rows
    shift   : of the displacement in pixels, for both axes
    keep    : share of the images that are left as they are
    side    : images are rows of side² pixels

    jitter(x, rng=rng) takes and returns (N, side²) within [0, 1]; between pixels it takes the bicubic value,
    from outside the image 0.
    """

    turn: float = 0.12
    stretch: float = 0.07
    slant: float = 0.12
    shift: float = 0.6
    keep: float = 0.3
    side: int = 28

    def __call__(self, x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        if x.ndim != 2 or x.shape[1] != self.side**2:
            raise ValueError(f"Jitter expected rows of {self.side**2} pixels, got shape {x.shape}")
        _expect_ink("Jitter", x)
        n = len(x)
        angle, slant = rng.normal(0, self.turn, n), rng.normal(0, self.slant, n)
        high, wide = np.exp(rng.normal(0, self.stretch, (2, n)))
        cos, sin = np.cos(angle), np.sin(angle)
        maps = np.empty((n, 6), x.dtype)                        # shear · rotation · scale
        maps[:, 0], maps[:, 1] = high * cos, -wide * sin
        maps[:, 2], maps[:, 3] = high * (sin + slant * cos), wide * (cos - slant * sin)
        maps[:, 4:] = rng.normal(0, self.shift, (n, 2))
        maps[rng.random(n) < self.keep] = 1, 0, 0, 1, 0, 0
        images = np.ascontiguousarray(x).reshape(n, self.side, self.side)
        out = np.empty_like(images)
        kernels.warp.affine_warp(images, maps, out)
        return out.reshape(n, -1)


def binarise(x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Draw every pixel as 1 with its grey value as the probability, else 0; pixels of 0 and 1 stay.

    Called anew for every batch this is dynamic binarisation, once before training it is the fixed one.
    Source: Salakhutdinov & Murray 2008, section 5. Raises ValueError for values outside [0, 1].
    """
    _expect_ink("binarise", x)
    return (rng.random(x.shape, x.dtype) < x).astype(x.dtype)


def dequantise(x: np.ndarray, *, rng: np.random.Generator, levels: int = 256) -> np.ndarray:
    """Spread every grey level evenly over an interval of its own, so that pixels get a density.

    (DEQ.1)  out = ((levels − 1)·x + u) / levels,  u ~ U(0, 1)

    x in [0, 1] holds k / (levels − 1) for grey level k = 0 … levels − 1; out lies in [k, k + 1) / levels. A
    density of such numbers bounds the probability of the levels: metrics.bits_per_dim.
    Source: Uria et al. 2013, section 5; Theis et al. 2016, section 3.1. Raises ValueError for values outside
    [0, 1].
    """
    _expect_ink("dequantise", x)
    if levels < 2:
        raise ValueError(f"dequantise expected two or more levels, got {levels}")
    out = rng.random(x.shape, x.dtype)
    out += x * x.dtype.type(levels - 1)
    out /= x.dtype.type(levels)                                 # (DEQ.1)
    return out


def _expect_ink(who: str, x: np.ndarray) -> None:
    """Raise TypeError for another dtype than float32 or float64, ValueError for values outside [0, 1]."""
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(f"{who} expected float32 or float64, got {x.dtype}")
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"{who} expected values within [0, 1], got {x.min():g} to {x.max():g}")
