"""Group normalisation of images: mean 0 and variance 1 over the pixels of a few channels of one example.

Unlike batch norm it does not look at other examples, so training and evaluation are the same. x is (N, P, C):
N examples of P pixels with C channels, which form G groups of consecutive channels. Derived in
docs/diffusion.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, positive
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer, Parameter, float_dtype


@compiled
def group_norm(
    x: Array, weight: Array, bias: Array, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """(out, xhat, inv) for x (N, P, C): out and xhat like x, inv (N, G)."""
    xg = x.reshape(*x.shape[:2], groups, -1)                    #          (N, P, G, C/G)
    mean = xg.mean(axis=(1, 3), keepdims=True)                  # (GN.1)   (N, 1, G, 1)
    mean += (xg - mean).mean(axis=(1, 3), keepdims=True)        #          adds the rounding error back
    xc = xg - mean                                              # (GN.2)   (N, P, G, C/G)
    var = (xc**2).mean(axis=(1, 3), keepdims=True)              # (GN.3)   (N, 1, G, 1)
    inv = 1 / np.sqrt(var + x.dtype.type(eps))                  #          (N, 1, G, 1)
    xhat = (xc * inv).reshape(x.shape)                          # (GN.4)   (N, P, C)
    out = weight * xhat + bias                                  # (GN.5)   (N, P, C)
    return out, xhat, inv[:, 0, :, 0]


@compiled
def group_norm_backward(
    dout: Array, xhat: Array, inv: Array, weight: Array
) -> tuple[Array, Array, Array]:
    """(dx, dweight, dbias) for dout (N, P, C)."""
    n, p, c = dout.shape
    groups, inv = inv.shape[1], inv[:, None, :, None]           #          (N, 1, G, 1)
    dxhat = (dout * weight).reshape(n, p, groups, -1)           # (GN.6)   out = weight·xhat + bias
    dweight = (dout * xhat).sum(axis=(0, 1))                    # (GN.7)   (C,)
    dbias = dout.sum(axis=(0, 1))
    xc = xhat.reshape(dxhat.shape) / inv                        #          as in the forward pass
    dvar = (dxhat * xc).sum(axis=(1, 3), keepdims=True) * -0.5 * inv**3     # (GN.8)   xhat = xc·inv
    dxc = dxhat * inv + 2 / (p * c // groups) * xc * dvar       # (GN.9)   xhat = xc·inv, var = mean(xc²)
    dx = dxc - dxc.mean(axis=(1, 3), keepdims=True)             # (GN.10)  xc = x − mean(x)
    return dx.reshape(dout.shape), dweight, dbias


class GroupNormCache(NamedTuple):
    """What GroupNorm.backward needs."""

    xhat: Array     # the shape of x: x with mean 0 and variance 1
    inv: Array      # (N, G): 1 / √(var + eps)


class GroupNorm(Layer):
    """Group normalisation: each group of channels of an image gets mean 0 and variance 1.

    Means and sums are over the M = H·W·C/G values of one group of one example, except those of (GN.7), which
    are over all examples and pixels.

    (GN.1)   mean  = 1/M · Σ x                              (N, G)
    (GN.2)   xc    = x − mean
    (GN.3)   var   = 1/M · Σ xc²                            (N, G)
    (GN.4)   xhat  = xc·inv,  inv = 1 / √(var + eps)
    (GN.5)   out   = weight·xhat + bias                     one weight and bias for each channel
    (GN.6)   dxhat = dout·weight
    (GN.7)   dweight = Σ dout·xhat,  dbias = Σ dout         (C,)
    (GN.8)   dvar  = −½·inv³ · Σ dxhat·xc
    (GN.9)   dxc   = dxhat·inv + 2/M·xc·dvar
    (GN.10)  dx    = dxc − 1/M · Σ dxc

    x (N, H, W, C), or (N, C) with one pixel. With one group for all channels this is layer norm over the
    whole image, with one channel per group it is instance norm. Source: Wu & He 2018, equations 1 to 3 and
    7. Derived in docs/diffusion.md.

    groups, channels : G and C; C must be a multiple of G
    eps : added to the variance, so that a constant group stays finite

    Raises ValueError if C is not a multiple of G, and for x of another shape.
    """

    def __init__(self, groups: int, channels: int, eps: float = 1e-5, *, dtype: DTypeLike = np.float32):
        positive("GroupNorm", groups=groups, channels=channels)
        if channels % groups:
            raise ValueError(
                f"GroupNorm expected channels to be a multiple of groups, got {channels} and {groups}"
            )
        dtype = float_dtype("GroupNorm", dtype)
        self.groups, self.channels, self.eps = groups, channels, eps
        self.weight = Parameter(np.ones(channels, dtype))
        self.bias = Parameter(np.zeros(channels, dtype))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, GroupNormCache]:
        self.expect(x, features=self.channels)
        if x.size == 0 < len(x):
            raise ValueError(f"GroupNorm expected images of at least one pixel, got {x.shape}")
        out, xhat, inv = group_norm(                                            # (GN.1) to (GN.5)
            _pixels(x), self.weight.value, self.bias.value, self.groups, self.eps
        )
        return out.reshape(x.shape), GroupNormCache(xhat.reshape(x.shape), inv)

    def backward(self, dout: Array, cache: GroupNormCache, input_grad: bool = True) -> Any:
        xhat, inv = cache
        self.expect_gradient(dout, xhat.shape, xhat.dtype)
        dx, dweight, dbias = group_norm_backward(                               # (GN.6) to (GN.10)
            _pixels(dout), _pixels(xhat), inv, self.weight.value
        )
        if self.trainable:
            self.weight.grad += dweight
            self.bias.grad += dbias
        return dx.reshape(dout.shape) if input_grad else None

    def jvp(self, dx: Array, cache: GroupNormCache) -> Array:
        """Return J·dx, by differentiating the lines of forward one after another."""
        xhat, inv = cache
        self.expect_gradient(dx, xhat.shape, xhat.dtype)
        grouped = (len(dx), -1, self.groups, self.channels // self.groups)
        tangent, xhat, inv = dx.reshape(grouped), xhat.reshape(grouped), inv[:, None, :, None]
        dxc = tangent - tangent.mean(axis=(1, 3), keepdims=True)
        dvar = 2 * (xhat / inv * dxc).mean(axis=(1, 3), keepdims=True)
        dinv = -0.5 * inv**3 * dvar
        dxhat = dxc * inv + xhat / inv * dinv
        return self.weight.value * dxhat.reshape(dx.shape)

    def output_shape_text(self) -> str:
        return f"(N, …, {self.channels})"

    def __repr__(self) -> str:
        return f"GroupNorm({self.groups}, {self.channels}, eps={self.eps})"


def _pixels(x: Array) -> Array:
    """Reshape (N, …, C) to (N, P, C)."""
    return x.reshape(len(x), -1 if len(x) else 1, x.shape[-1])
