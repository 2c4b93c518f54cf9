"""Group normalisation of images: mean 0 and variance 1 over the pixels of a few channels of one example.

Unlike batch norm it does not look at other examples, so training and evaluation are the same. x is (N, P, C):
N examples of P pixels with C channels, which form G groups of consecutive channels. Derived in
docs/diffusion.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, expect_number, positive
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer, Parameter, float_dtype
from scratchgen.layers.normalisation import in_units


@compiled
def group_norm(
    x: Array, weight: Array, bias: Array, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """(out, xhat, inv) for x (N, P, C): out and xhat like x, inv (N, G)."""
    xg = to_groups(x, groups)                                   #          (N, G, M)
    size = xg.shape[2]
    mean = (xg / size).sum(axis=2, keepdims=True)               # (GN.1)   (N, G, 1)
    mean += ((xg - mean) / size).sum(axis=2, keepdims=True)     #          adds the rounding error back
    xc, unit = in_units(xg - mean, axis=2)                      # (GN.2)   (N, G, M)
    unit = unit[:, :, None]                                     #          (N, G, 1)
    var = (xc**2).mean(axis=2, keepdims=True)                   # (GN.3)   (N, G, 1)
    inv = 1 / np.sqrt(var + eps / unit / unit)                  #          (N, G, 1)
    xhat = from_groups(xc * inv, x.shape)                       # (GN.4)   (N, P, C)
    out = weight * xhat + bias                                  # (GN.5)   (N, P, C)
    return out, xhat, (inv / unit)[:, :, 0]


def to_groups(x: Array, groups: int) -> Array:
    """Reshape (N, P, C) to (N, G, M): the M values of each group of each example are next to each other."""
    n, p, c = x.shape
    return x.reshape(n, p, groups, c // groups).swapaxes(1, 2).reshape(n, groups, p * c // groups)


def from_groups(xg: Array, shape: tuple[int, ...]) -> Array:
    """Reshape (N, G, M) to (N, P, C), the inverse of to_groups."""
    n, p, c = shape
    groups = xg.shape[1]
    return xg.reshape(n, groups, p, c // groups).swapaxes(1, 2).reshape(shape)


@compiled
def group_norm_backward(
    dout: Array, xhat: Array, inv: Array, weight: Array
) -> tuple[Array, Array, Array]:
    """(dx, dweight, dbias) for dout (N, P, C)."""
    groups = inv.shape[1]
    dxhat = to_groups(dout * weight, groups)                    # (GN.6)   out = weight·xhat + bias
    dweight = (dout * xhat).sum(axis=(0, 1))                    # (GN.7)   (C,)
    dbias = dout.sum(axis=(0, 1))
    # x is measured in units of 1 / inv, so that inv³ does not underflow. Then inv is 1, and xc is xhat.
    xhat = to_groups(xhat, groups)                              #          (N, G, M)
    dvar = -0.5 * (dxhat * xhat).sum(axis=2, keepdims=True)     # (GN.8)   xhat = xc / √(var + eps)
    dxc = dxhat + 2 / xhat.shape[2] * xhat * dvar               # (GN.9)   xhat = xc·inv, var = mean(xc²)
    dx = inv[:, :, None] * (dxc - dxc.mean(axis=2, keepdims=True))          # (GN.10)  xc = x − mean(x)
    return from_groups(dx, dout.shape), dweight, dbias


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
        expect_number("GroupNorm", "eps", eps, above=0)
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
        dxc = inv * (tangent - tangent.mean(axis=(1, 3), keepdims=True))
        dxhat = dxc - xhat * (xhat * dxc).mean(axis=(1, 3), keepdims=True)
        return self.weight.value * dxhat.reshape(dx.shape)

    def output_shape_text(self) -> str:
        return f"(N, …, {self.channels})"

    def __repr__(self) -> str:
        return f"GroupNorm({self.groups}, {self.channels}, eps={self.eps})"


def _pixels(x: Array) -> Array:
    """Reshape (N, …, C) to (N, P, C)."""
    return x.reshape(len(x), -1 if len(x) else 1, x.shape[-1])
