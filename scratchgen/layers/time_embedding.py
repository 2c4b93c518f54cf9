"""A time as a vector of sines and cosines. Derived in docs/diffusion.md."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import Array, expect_count
from scratchgen.layers.base import Layer

HIGHEST, LOWEST = 1000.0, 0.1       # radians per unit of time


def frequencies(features: int, dtype: Any) -> Array:
    """The frequencies of features/2 sines and as many cosines, from HIGHEST to LOWEST, (features/2,)."""
    return np.geomspace(HIGHEST, LOWEST, features // 2).astype(dtype)   # (TIME.1)


class TimeEmbedding(Layer):
    """Sines and cosines of a time t in [0, 1], so that a network can tell times apart at every scale.

    (TIME.1)  f_k = 1000·10⁻⁴ᵏᐟ⁽ᴷ⁻¹⁾,  k = 0 … K − 1,  K = features/2      from 1,000 to 0.1 radians
    (TIME.2)  out = (sin(f·t), cos(f·t))
    (TIME.3)  dt  = Σ_k f_k·(dsin_k·cos(f_k·t) − dcos_k·sin(f_k·t))

    t (N,), out (N, features). The fastest sine separates times that differ by a thousandth; the slowest one
    grows with t. It has no parameters. The frequencies are those of Ho et al. 2020 for 1,000 steps; the
    embedding is that of Vaswani et al. 2017, section 3.5. Derived in docs/diffusion.md.

    features : an even number, at least 4

    Raises TypeError if features is not an int, ValueError for a smaller or odd number, and for t of another
    shape.
    """

    def __init__(self, features: int):
        if expect_count("TimeEmbedding", "features", features, least=4) % 2:
            raise ValueError(f"TimeEmbedding expected an even number of features, got {features!r}")
        self.features = features

    def forward(self, t: Array, training: bool = False) -> tuple[Array, tuple[Array, Array]]:
        self.expect(t, ndim=1)
        angles = t[:, None] * frequencies(self.features, t.dtype)       # (N, K)
        sin, cos = np.sin(angles), np.cos(angles)
        return np.concatenate([sin, cos], axis=1), (sin, cos)           # (TIME.2)

    def backward(self, dout: Array, cache: tuple[Array, Array], input_grad: bool = True) -> Any:
        sin, cos = cache
        self.expect_gradient(dout, (len(sin), self.features), sin.dtype)
        if not input_grad:
            return None
        dsin, dcos = np.split(dout, 2, axis=1)
        return (frequencies(self.features, dout.dtype) * (dsin * cos - dcos * sin)).sum(axis=1)  # (TIME.3)

    def jvp(self, dt: Array, cache: tuple[Array, Array]) -> Array:
        """Return J·dt, by differentiating (TIME.2)."""
        sin, cos = cache
        self.expect_gradient(dt, sin.shape[:1], sin.dtype)
        dangles = dt[:, None] * frequencies(self.features, dt.dtype)
        return np.concatenate([cos * dangles, -sin * dangles], axis=1)

    def output_shape_text(self) -> str:
        return f"(N, {self.features})"

    def __repr__(self) -> str:
        return f"TimeEmbedding({self.features})"
