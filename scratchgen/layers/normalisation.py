"""Normalisation: centre, scale to variance one, and give weight and bias back to be learnt."""

import numpy as np

from scratchgen import kernels
from scratchgen.checks import positive
from scratchgen.layers.base import Layer, Parameter, float_dtype
from scratchgen.runtime import threads


def rows(a):
    """Everything but the last axis laid end to end, (M, C); a copy only where it can't be a view."""
    return np.ascontiguousarray(a).reshape(-1, a.shape[-1])


def expect_fit(layer, dout, xhat):
    """Check that a gradient or tangent, a cached xhat and the layer's own parameters go together."""
    layer.expect_gradient(dout, xhat.shape, xhat.dtype)
    if xhat.shape[-1:] != layer.weight.shape:
        channels, who = layer.weight.size, type(layer).__name__
        raise ValueError(f"{who} expected a cache of {channels} channels, got one of {xhat.shape[-1]}")


def add_affine_gradients(layer, dout, xhat):
    """Add the gradients of out = weight·xhat + bias to the layer's parameters."""
    dweight, dbias = np.empty_like(layer.weight.value), np.empty_like(layer.bias.value)
    kernels.normalisation.affine_backward(dout, xhat, dweight, dbias)           # (BN.7, LN.7)
    layer.weight.grad += dweight
    layer.bias.grad += dbias


class BatchNorm(Layer):
    """Batch normalisation: each channel to mean 0 and variance 1 over the batch (and over the pixels).

    Means and sums run over the M = N (·H·W) values that a channel has.

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

    In training the batch's statistics are used and kept in running means, in evaluation those are:

    (BN.11)  running_mean ← (1 − momentum)·running_mean + momentum·mean
             running_var  ← (1 − momentum)·running_var + momentum·var·M/(M − 1)     unbiased
    (BN.12)  out = weight·xhat + bias,  xhat = (x − running_mean)·inv,  inv = 1 / √(running_var + eps)
    (BN.13)  dx  = dout·weight·inv                          the statistics are constants here

    x (N, C) or (N, H, W, C). forward in training changes the buffers running_mean and running_var, frozen or
    not; that is the one thing a layer remembers. Raises ValueError where a training batch has one value per
    channel, which has no variance. Source: Ioffe & Szegedy 2015, algorithm 1. Derived in docs/layers.md.

    num_features : C
    eps : keeps a constant channel finite
    momentum : the share of the newest batch in the running statistics
    """

    buffer_names = ("running_mean", "running_var")

    def __init__(self, num_features, eps=1e-5, momentum=0.1, *, dtype=np.float32):
        positive("BatchNorm", num_features=num_features)
        dtype = float_dtype("BatchNorm", dtype)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features, dtype))
        self.bias = Parameter(np.zeros(num_features, dtype))
        self.running_mean, self.running_var = np.zeros(num_features, dtype), np.ones(num_features, dtype)

    def forward(self, x, training=False):
        self.expect(x, features=self.num_features)
        if not training:
            inv = 1 / np.sqrt(self.running_var + self.eps)
            xhat = (x - self.running_mean) * inv                                # (BN.12)
            return self.weight.value * xhat + self.bias.value, (xhat, inv, False)
        if x.size < 2 * self.num_features:
            raise ValueError(f"BatchNorm expected two values or more per channel in training, got {x.shape}")
        mean, var, inv = np.empty((3, self.num_features), x.dtype)
        xhat, out = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
        kernels.normalisation.batch_norm_forward(  # (BN.1, BN.2, BN.3, BN.4, BN.5)
            rows(x), self.weight.value, self.bias.value, x.dtype.type(self.eps),
            mean, var, inv, rows(xhat), rows(out),
        )
        self._remember(mean, var, m=x.size // self.num_features)
        return out, (xhat, inv, True)

    def _remember(self, mean, var, m):
        self.running_mean += self.momentum * (mean - self.running_mean)         # (BN.11)
        self.running_var += self.momentum * (var * (m / (m - 1)) - self.running_var)

    def backward(self, dout, cache, input_grad=True):
        xhat, inv, training = cache
        expect_fit(self, dout, xhat)
        flat, xhat = rows(dout), rows(xhat)
        if not (training and input_grad):
            if self.trainable:
                add_affine_gradients(self, flat, xhat)                          # (BN.7)
            return dout * (self.weight.value * inv) if input_grad else None     # (BN.13)
        dweight, dbias = np.empty((2, self.num_features), dout.dtype)
        dx = np.empty(dout.shape, dout.dtype)
        kernels.normalisation.batch_norm_backward(  # (BN.6, BN.7, BN.8, BN.9, BN.10)
            flat, xhat, inv, self.weight.value, dweight, dbias, rows(dx)
        )
        if self.trainable:
            self.weight.grad += dweight
            self.bias.grad += dbias
        return dx

    def jvp(self, dx, cache):
        """Push a tangent forward: the tangents of the lines of forward, in their order."""
        xhat, inv, training = cache
        expect_fit(self, dx, xhat)
        if not training:
            return dx * (self.weight.value * inv)
        xhat = rows(xhat)
        dxc = rows(dx) - rows(dx).mean(axis=0)
        dvar = 2 * (xhat / inv * dxc).mean(axis=0)
        dinv = -0.5 * inv**3 * dvar
        dxhat = dxc * inv + xhat / inv * dinv
        return (self.weight.value * dxhat).reshape(dx.shape)

    def __repr__(self) -> str:
        return f"BatchNorm({self.num_features}, eps={self.eps}, momentum={self.momentum})"


class LayerNorm(Layer):
    """Layer normalisation: each example to mean 0 and variance 1 over its features.

    Means and sums run over the C features of a row, but those of (LN.7) over the M rows.

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

    x (..., C); training and evaluation are the same. Source: Ba, Kiros & Hinton 2016, equation 4 for one
    layer's features. Derived in docs/layers.md.

    features : C (torch's normalized_shape, here one axis)
    eps : keeps a constant row finite
    """

    def __init__(self, features, eps=1e-5, *, dtype=np.float32):
        positive("LayerNorm", features=features)
        dtype = float_dtype("LayerNorm", dtype)
        self.features, self.eps = features, eps
        self.weight = Parameter(np.ones(features, dtype))
        self.bias = Parameter(np.zeros(features, dtype))

    def forward(self, x, training=False):
        self.expect(x, features=self.features)
        xhat, out = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
        inv = np.empty(x.size // self.features, x.dtype)
        flat, flat_xhat, flat_out = rows(x), rows(xhat), rows(out)

        def work(part):
            kernels.normalisation.layer_norm_forward(  # (LN.1, LN.2, LN.3, LN.4, LN.5)
                flat[part], self.weight.value, self.bias.value, x.dtype.type(self.eps),
                inv[part], flat_xhat[part], flat_out[part],
            )

        threads.share(work, len(flat), threads.enough(self.features, threads.ENTRIES))
        return out, (xhat, inv)

    def backward(self, dout, cache, input_grad=True):
        xhat, inv = cache
        expect_fit(self, dout, xhat)
        flat, xhat = rows(dout), rows(xhat)
        if self.trainable:
            add_affine_gradients(self, flat, xhat)                              # (LN.7)
        if not input_grad:
            return None
        dx = np.empty(dout.shape, dout.dtype)
        flat_dx = rows(dx)

        def work(part):
            kernels.normalisation.layer_norm_backward(  # (LN.6, LN.8, LN.9, LN.10)
                flat[part], xhat[part], inv[part], self.weight.value, flat_dx[part]
            )

        threads.share(work, len(flat), threads.enough(self.features, threads.ENTRIES))
        return dx

    def jvp(self, dx, cache):
        """Push a tangent forward: the tangents of the lines of forward, in their order."""
        xhat, inv = cache
        expect_fit(self, dx, xhat)
        xhat, inv = rows(xhat), inv[:, None]
        dxc = rows(dx) - rows(dx).mean(axis=1, keepdims=True)
        dvar = 2 * (xhat / inv * dxc).mean(axis=1, keepdims=True)
        dinv = -0.5 * inv**3 * dvar
        dxhat = dxc * inv + xhat / inv * dinv
        return (self.weight.value * dxhat).reshape(dx.shape)

    def __repr__(self) -> str:
        return f"LayerNorm({self.features}, eps={self.eps})"
