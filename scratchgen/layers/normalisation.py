"""Normalisation to mean 0 and variance 1, followed by a learnt scale and shift.

Each function is followed by its backward pass, which mirrors it line by line. x is (M, C): M examples (or
pixels of examples) of C channels. Batch norm takes mean and variance over the columns, layer norm over the
rows. Derived in docs/layers.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, expect_number, positive
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer, Parameter, float_dtype, rows
from scratchgen.layers.shared_batch_norm import shared_batch_norm, shared_batch_norm_backward
from scratchgen.runtime.ranks import step_ranks


@compiled
def batch_norm(
    x: Array, weight: Array, bias: Array, eps: float
) -> tuple[Array, Array, Array, Array, Array]:
    """(out, xhat, inv, mean, var) for x (M, C)."""
    mean = (x / len(x)).sum(axis=0)                             # (BN.1)   (C,)
    mean += ((x - mean) / len(x)).sum(axis=0)                   #          adds the rounding error back
    xc, unit = in_units(x - mean, axis=0)                       # (BN.2)   (M, C)
    var = (xc**2).mean(axis=0)                                  # (BN.3)   (C,)
    inv = 1 / np.sqrt(var + eps / unit / unit)                  #          (C,)
    xhat = xc * inv                                             # (BN.4)   (M, C)
    out = weight * xhat + bias                                  # (BN.5)   (M, C)
    return out, xhat, inv / unit, mean, var * unit * unit


def in_units(xc: Array, axis: int) -> tuple[Array, Array]:
    """(xc / unit, unit) with a power of two for each row or column, so that xc² does not overflow.

    The unit is 1 unless the numbers are huge (above 10¹⁵ in float32), and xhat does not depend on it.
    """
    largest = np.abs(xc).max(axis=axis)
    huge = largest > np.finfo(xc.dtype).max ** 0.4
    unit = np.ldexp(np.ones_like(largest), np.where(huge, np.frexp(largest)[1] - 1, 0))
    return xc / np.expand_dims(unit, axis), unit


@compiled
def batch_norm_backward(
    dout: Array, xhat: Array, inv: Array, weight: Array
) -> tuple[Array, Array, Array]:
    """(dx, dweight, dbias) for dout (M, C)."""
    dxhat = dout * weight                                       # (BN.6)   out = weight·xhat + bias
    dweight, dbias = scale_shift_backward(dout, xhat)           # (BN.7)
    # The next two lines are in units of 1 / inv, so that inv³ does not underflow. There inv is 1, and xc is
    # xhat. The last line multiplies by inv.
    dvar = -0.5 * (dxhat * xhat).sum(axis=0)                    # (BN.8)   xhat = xc / √(var + eps)
    dxc = dxhat + 2 / len(dout) * xhat * dvar                   # (BN.9)   xhat = xc·inv, var = mean(xc²)
    dx = inv * (dxc - dxc.mean(axis=0))                         # (BN.10)  xc = x − mean(x)
    return dx, dweight, dbias


@compiled
def scale_shift_backward(dout: Array, xhat: Array) -> tuple[Array, Array]:
    """(dweight, dbias) of out = weight·xhat + bias."""
    return (dout * xhat).sum(axis=0), dout.sum(axis=0)          # (BN.7, LN.7)  (C,)


class BatchNormCache(NamedTuple):
    """What BatchNorm.backward needs."""

    xhat: Array         # the shape of x: x with mean 0 and variance 1
    inv: Array          # (C,): 1 / √(var + eps)
    training: bool      # whether mean and var are those of the batch


class BatchNorm(Layer):
    """Batch normalisation: each channel gets mean 0 and variance 1 over the batch (and over the pixels).

    Means and sums are taken over the M = N (·H·W) values of a channel.

    (BN.1)   mean  = 1/M · Σ x                              (C,)
    (BN.2)   xc    = x − mean                               (M, C)
    (BN.3)   var   = 1/M · Σ xc²                            (C,)
    (BN.4)   xhat  = xc·inv,  inv = 1 / √(var + eps)        (M, C)
    (BN.5)   out   = weight·xhat + bias                     (M, C)
    (BN.6)   dxhat = dout·weight
    (BN.7)   dweight = Σ dout·xhat,  dbias = Σ dout
    (BN.8)   dvar  = −½·inv³ · Σ dxhat·xc
    (BN.9)   dxc   = dxhat·inv + 2/M·xc·dvar
    (BN.10)  dx    = dxc − 1/M · Σ dxc                      dmean = −Σ dxc, and Σ xc = 0

    Training uses the statistics of the batch and updates running means. Evaluation uses the running means:

    (BN.11)  running_mean ← (1 − momentum)·running_mean + momentum·mean
             running_var  ← (1 − momentum)·running_var + momentum·var·M/(M − 1)     unbiased
    (BN.12)  out = weight·xhat + bias,  xhat = (x − running_mean)·inv,  inv = 1 / √(running_var + eps)
    (BN.13)  dx  = dout·weight·inv                          the statistics are constants here

    x (N, C) or (N, H, W, C). In training, forward changes the buffers running_mean and running_var, even
    if the layer is frozen. No other layer keeps state. Raises ValueError for a training batch with one value
    per channel, which has no variance. Source: Ioffe & Szegedy 2015, algorithm 1. Derived in docs/layers.md.

    num_features : C
    eps : added to the variance, so that a constant channel stays finite
    momentum : the weight of the newest batch in the running statistics, in [0, 1]
    """

    buffer_names = ("running_mean", "running_var")

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, *, dtype: DTypeLike = np.float32
    ):
        positive("BatchNorm", num_features=num_features)
        expect_number("BatchNorm", "eps", eps, above=0)
        expect_number("BatchNorm", "momentum", momentum, least=0, most=1)
        dtype = float_dtype("BatchNorm", dtype)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features, dtype))
        self.bias = Parameter(np.zeros(num_features, dtype))
        self.running_mean, self.running_var = np.zeros(num_features, dtype), np.ones(num_features, dtype)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, BatchNormCache]:
        self.expect(x, features=self.num_features)
        if not training:
            inv = 1 / np.sqrt(self.running_var + self.eps)
            xhat = (x - self.running_mean) * inv                                # (BN.12)
            return self.weight.value * xhat + self.bias.value, BatchNormCache(xhat, inv, False)
        ranks = step_ranks()
        m = ranks.total(x.size // self.num_features)
        if m < 2:
            raise ValueError(f"BatchNorm expected at least two values per channel in training, got {x.shape}")
        arguments = rows(x), self.weight.value, self.bias.value, self.eps
        out, xhat, inv, mean, var = (                                           # (BN.1) to (BN.5)
            batch_norm(*arguments) if ranks.size == 1 else shared_batch_norm(*arguments, ranks)
        )
        self._update_running_statistics(mean, var, m)
        return out.reshape(x.shape), BatchNormCache(xhat.reshape(x.shape), inv, True)

    def _update_running_statistics(self, mean: Array, var: Array, m: int) -> None:
        self.running_mean += self.momentum * (mean - self.running_mean)         # (BN.11)
        self.running_var += self.momentum * (var * (m / (m - 1)) - self.running_var)

    def backward(self, dout: Array, cache: BatchNormCache, input_grad: bool = True) -> Any:
        xhat, inv, training = cache
        _expect_cache(self, dout, xhat)
        if not (training and input_grad):
            if self.trainable:
                _add_gradients(self, *scale_shift_backward(rows(dout), rows(xhat)))  # (BN.7)
            return dout * (self.weight.value * inv) if input_grad else None     # (BN.13)
        ranks, arguments = step_ranks(), (rows(dout), rows(xhat), inv, self.weight.value)
        dx, dweight, dbias = (                                                  # (BN.6) to (BN.10)
            batch_norm_backward(*arguments)
            if ranks.size == 1
            else shared_batch_norm_backward(*arguments, ranks)
        )
        if self.trainable:
            _add_gradients(self, dweight, dbias)
        return dx.reshape(dout.shape)

    def jvp(self, dx: Array, cache: BatchNormCache) -> Array:
        """Return J·dx, by differentiating the lines of forward one after another."""
        xhat, inv, training = cache
        _expect_cache(self, dx, xhat)
        if not training:
            return dx * (self.weight.value * inv)
        xhat = rows(xhat)
        dxc = inv * (rows(dx) - rows(dx).mean(axis=0))          # in units of 1 / inv, as in backward
        dvar = 2 * (xhat * dxc).mean(axis=0)
        dxhat = dxc - 0.5 * xhat * dvar
        return (self.weight.value * dxhat).reshape(dx.shape)

    def output_shape_text(self) -> str:
        return f"(N, …, {self.num_features})"

    def __repr__(self) -> str:
        return f"BatchNorm({self.num_features}, eps={self.eps}, momentum={self.momentum})"


@compiled
def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """(out, xhat, inv) for x (M, C)."""
    size = x.shape[1]
    mean = (x / size).sum(axis=1, keepdims=True)                # (LN.1)   (M, 1)
    mean += ((x - mean) / size).sum(axis=1, keepdims=True)      #          adds the rounding error back
    xc, unit = in_units(x - mean, axis=1)                       # (LN.2)   (M, C)
    unit = unit[:, None]                                        #          (M, 1)
    var = (xc**2).mean(axis=1, keepdims=True)                   # (LN.3)   (M, 1)
    inv = 1 / np.sqrt(var + eps / unit / unit)                  #          (M, 1)
    xhat = xc * inv                                             # (LN.4)   (M, C)
    out = weight * xhat + bias                                  # (LN.5)   (M, C)
    return out, xhat, inv / unit


@compiled
def layer_norm_backward(dout: Array, xhat: Array, inv: Array, weight: Array) -> Array:
    """dx for dout (M, C). The gradients of weight and bias are those of `scale_shift_backward`."""
    dxhat = dout * weight                                       # (LN.6)   out = weight·xhat + bias
    # As in batch_norm_backward, the next two lines are in units of 1 / inv. The last one multiplies by inv.
    dvar = -0.5 * (dxhat * xhat).sum(axis=1, keepdims=True)     # (LN.8)   xhat = xc / √(var + eps)
    dxc = dxhat + 2 / dout.shape[1] * xhat * dvar               # (LN.9)   xhat = xc·inv, var = mean(xc²)
    return inv * (dxc - dxc.mean(axis=1, keepdims=True))        # (LN.10)  xc = x − mean(x)


class LayerNorm(Layer):
    """Layer normalisation: each example gets mean 0 and variance 1 over its features.

    Means and sums are over the C features of a row, except those of (LN.7), which are over the M rows.

    (LN.1)   mean  = 1/C · Σ x                              (M, 1)
    (LN.2)   xc    = x − mean                               (M, C)
    (LN.3)   var   = 1/C · Σ xc²                            (M, 1)
    (LN.4)   xhat  = xc·inv,  inv = 1 / √(var + eps)        (M, C)
    (LN.5)   out   = weight·xhat + bias                     (M, C)
    (LN.6)   dxhat = dout·weight
    (LN.7)   dweight = Σ dout·xhat,  dbias = Σ dout         (C,)
    (LN.8)   dvar  = −½·inv³ · Σ dxhat·xc
    (LN.9)   dxc   = dxhat·inv + 2/C·xc·dvar
    (LN.10)  dx    = dxc − 1/C · Σ dxc

    x (..., C). Training and evaluation are the same. The cache is (xhat, inv): xhat in the shape of x, inv
    (M, 1). Source: Ba, Kiros & Hinton 2016, equation 4 for the features of one layer. Derived in
    docs/layers.md.

    features : C (PyTorch's normalized_shape, here one axis)
    eps : added to the variance, so that a constant row stays finite
    """

    def __init__(self, features: int, eps: float = 1e-5, *, dtype: DTypeLike = np.float32):
        positive("LayerNorm", features=features)
        expect_number("LayerNorm", "eps", eps, above=0)
        dtype = float_dtype("LayerNorm", dtype)
        self.features, self.eps = features, eps
        self.weight = Parameter(np.ones(features, dtype))
        self.bias = Parameter(np.zeros(features, dtype))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple[Array, Array]]:
        self.expect(x, features=self.features)
        out, xhat, inv = layer_norm(                                            # (LN.1) to (LN.5)
            rows(x), self.weight.value, self.bias.value, self.eps
        )
        return out.reshape(x.shape), (xhat.reshape(x.shape), inv)

    def backward(self, dout: Array, cache: tuple[Array, Array], input_grad: bool = True) -> Any:
        xhat, inv = cache
        _expect_cache(self, dout, xhat)
        if self.trainable:
            _add_gradients(self, *scale_shift_backward(rows(dout), rows(xhat)))  # (LN.7)
        if not input_grad:
            return None
        dx = layer_norm_backward(                                               # (LN.6), (LN.8) to (LN.10)
            rows(dout), rows(xhat), inv, self.weight.value
        )
        return dx.reshape(dout.shape)

    def jvp(self, dx: Array, cache: tuple[Array, Array]) -> Array:
        """Return J·dx, by differentiating the lines of forward one after another."""
        xhat, inv = cache
        _expect_cache(self, dx, xhat)
        xhat = rows(xhat)
        dxc = inv * (rows(dx) - rows(dx).mean(axis=1, keepdims=True))   # in units of 1 / inv
        dvar = 2 * (xhat * dxc).mean(axis=1, keepdims=True)
        dxhat = dxc - 0.5 * xhat * dvar
        return (self.weight.value * dxhat).reshape(dx.shape)

    def output_shape_text(self) -> str:
        return f"(N, …, {self.features})"

    def __repr__(self) -> str:
        return f"LayerNorm({self.features}, eps={self.eps})"


def _expect_cache(layer: Any, dout: Array, xhat: Array) -> None:
    """Check that a gradient or tangent, the cached xhat and the layer's parameters have matching shapes."""
    layer.expect_gradient(dout, xhat.shape, xhat.dtype)
    if xhat.shape[-1:] != layer.weight.shape:
        channels, who = layer.weight.size, type(layer).__name__
        raise ValueError(f"{who} expected a cache with {channels} channels, got {xhat.shape[-1]}")


def _add_gradients(layer: Any, dweight: Array, dbias: Array) -> None:
    layer.weight.grad += dweight
    layer.bias.grad += dbias
