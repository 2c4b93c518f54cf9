"""Spectral normalisation: a layer whose weight is divided by its largest singular value."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array, describe, positive
from scratchgen.layers.base import Layer, rows
from scratchgen.layers.conv import Conv2d
from scratchgen.layers.linear import Linear


def power_iteration(weight: Array, u: Array) -> tuple[Array, Array]:
    """One step towards the first singular vectors of weight (D, M): u (D,) and v (M,), of length 1."""
    v = weight.T @ u                                            # (SN.1)  (M,)
    v /= np.linalg.norm(v)
    u = weight @ v                                              # (SN.2)  (D,)
    return u / np.linalg.norm(u), v


class SpectralNormCache(NamedTuple):
    """What SpectralNorm.backward needs."""

    inner: Any          # the cache of the layer inside, for the input x/σ
    out: Array          # the output
    u: Array            # (D,)
    v: Array            # (M,)
    sigma: np.floating  # σ


class SpectralNorm(Layer):
    """A Linear or Conv2d whose weight is divided by its largest singular value (Miyato et al. 2018).

    (SN.1)  v = Wᵀu / ‖Wᵀu‖                                 one step of power iteration, in training
    (SN.2)  u = Wv / ‖Wv‖
    (SN.3)  σ = uᵀWv                                        the largest singular value, once u and v converged
    (SN.4)  out = (W/σ)·x + b = W·(x/σ) + b                 so the layer inside is applied to s = x/σ
    (SN.5)  dσ = −⟨dout, out − b⟩ / σ
    (SN.6)  dW = sᵀ·dout + dσ·u·vᵀ                          the first term is that of the layer inside
    (SN.7)  dx = ds / σ

    W is the weight as a matrix (D, M) with M outputs; that of a convolution is (KH·KW·C_in, C_out). The slope
    of a Linear is then at most 1. u and v are constants in backward: where they have converged, their change
    does not change σ to first order. Derived in docs/conditional-gan.md.

    The buffers u and v start as the first singular vectors of W. In training, forward changes them, even if
    the layer is frozen, and in evaluation it does not.

    layer : the Linear or Conv2d
    iterations : steps of power iteration in each forward pass in training

    Raises TypeError for another layer. Forward raises ValueError if σ is not above 0, which happens for a
    weight of zeros, and in evaluation if W was replaced and u and v belong to the old one: call `converge`.
    """

    buffer_names = ("u", "v")

    def __init__(self, layer: Layer, iterations: int = 1):
        if type(layer) not in (Linear, Conv2d):
            given = repr(layer) if isinstance(layer, Layer) else describe(layer)
            raise TypeError(f"SpectralNorm expected layer to be a Linear or Conv2d, got {given}")
        positive("SpectralNorm", iterations=iterations)
        self.layer: Any = layer
        self.iterations = iterations
        d, m = self._matrix().shape
        self.u, self.v = np.zeros(d, layer.dtype), np.zeros(m, layer.dtype)
        self.converge()

    def converge(self) -> None:
        """Set u and v to the first singular vectors of the weight, the limit of power iteration."""
        left, _, right = np.linalg.svd(self._matrix(), full_matrices=False)
        self.u[...], self.v[...] = left[:, 0], right[0]

    def _matrix(self) -> Array:
        return rows(self.layer.weight.value)                    # (D, M)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, SpectralNormCache]:
        weight = self._matrix()
        if training and weight.any():
            for _ in range(self.iterations):
                self.u[...], self.v[...] = power_iteration(weight, self.u)  # (SN.1, SN.2)
        u, v = self.u.copy(), self.v.copy()
        sigma = u @ (weight @ v)                                # (SN.3)
        if not sigma > 0:
            raise ValueError(
                f"SpectralNorm expected a weight with a singular value above 0 along u and v, got {sigma:g}; "
                "after a change of the weight, call converge()"
            )
        self.layer.expect(x)
        out, inner = self.layer.forward(x / sigma, training)    # (SN.4)
        return out, SpectralNormCache(inner, out, u, v, sigma)

    def backward(self, dout: Array, cache: SpectralNormCache, input_grad: bool = True) -> Any:
        ds = self.layer.backward(dout, cache.inner, input_grad)     # the first term of (SN.6)
        if self.layer.trainable:
            inside = np.vdot(dout, cache.out)
            if self.layer.bias is not None:
                inside = inside - rows(dout).sum(axis=0) @ self.layer.bias.value
            dsigma = -inside / cache.sigma                      # (SN.5)
            self.layer.weight.add_grad(dsigma * cache.u[:, None], cache.v[None])    # (SN.6)
        return ds / cache.sigma if input_grad else None         # (SN.7)

    def jvp(self, dx: Array, cache: SpectralNormCache) -> Array:
        """Return J·dx, that of the layer inside for dx/σ."""
        self.layer.expect_gradient(dx, cache.inner.shape, cache.inner.dtype)
        return self.layer.jvp(dx / cache.sigma, cache.inner)

    def output_shape_text(self) -> str:
        return self.layer.output_shape_text()

    def __repr__(self) -> str:
        return f"SpectralNorm({self.layer!r}, iterations={self.iterations})"
