"""Activations: functions of one number, applied to every entry.

Each function is followed by its backward pass, dx = dout times the derivative. The Jacobian is diagonal, so
the Jacobian-vector product is the same multiplication: jvp(dx, cache) = backward(dx, cache). Derived in
docs/backprop.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.checks import Array, expect_number
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer

GELU_A = math.sqrt(2 / math.pi)     # GELU's tanh form: u = A·(x + B·x³)
GELU_B = 0.044715
GELU_LARGEST_SLOPE = 1e30           # of u; an infinite one would be NaN where it is multiplied by 0


class Activation(Layer):
    """Base class of the activations. They have no parameters, and their Jacobian is diagonal."""

    def jvp(self, dx: Array, cache: Any) -> Array:
        """Return J·dx. The Jacobian J is diagonal, so this is the same product as in backward."""
        return self.backward(dx, cache)


@compiled
def relu(x: Array) -> Array:
    return np.maximum(x, 0)                                     # (RELU.1)


@compiled
def relu_backward(dout: Array, out: Array) -> Array:
    return np.where(out > 0, dout, 0)                           # (RELU.2)


class ReLU(Activation):
    """The rectified linear unit, out = max(x, 0) (Nair & Hinton 2010).

    (RELU.1)  out = max(x, 0)
    (RELU.2)  dx  = dout where out > 0, else 0          the slope at x = 0 is taken as 0
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x)
        out = relu(x)                                           # (RELU.1)
        return out, out

    def backward(self, dout: Array, out: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, out.shape, out.dtype)
        return relu_backward(dout, out) if input_grad else None  # (RELU.2)


@compiled
def leaky_relu(x: Array, slope: float) -> Array:
    return np.where(x < 0, slope * x, x)                        # (LRELU.1)


@compiled
def leaky_relu_backward(dout: Array, x: Array, slope: float) -> Array:
    return np.where(x > 0, dout, slope * dout)                  # (LRELU.2)


class LeakyReLU(Activation):
    """The leaky rectified linear unit, out = x for x > 0, else slope·x (Maas et al. 2013).

    (LRELU.1)  out = x where x ≥ 0, else slope·x
    (LRELU.2)  dx  = dout where x > 0, else slope·dout

    negative_slope : the slope for x < 0
    """

    def __init__(self, negative_slope: float = 0.01):
        expect_number("LeakyReLU", "negative_slope", negative_slope)
        self.negative_slope = negative_slope

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x)
        return leaky_relu(x, self.negative_slope), x            # (LRELU.1)

    def backward(self, dout: Array, x: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, x.shape, x.dtype)
        return leaky_relu_backward(dout, x, self.negative_slope) if input_grad else None  # (LRELU.2)

    def __repr__(self) -> str:
        return f"LeakyReLU(negative_slope={self.negative_slope})"


@compiled
def elu(x: Array, alpha: float) -> Array:
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)  # (ELU.1)


@compiled
def elu_backward(dout: Array, out: Array, alpha: float) -> Array:
    return np.where(out > 0, dout, dout * (out + alpha))        # (ELU.2)


class ELU(Activation):
    """The exponential linear unit (Clevert et al. 2016).

    (ELU.1)  out = x where x ≥ 0, else α·(eˣ − 1)
    (ELU.2)  dx  = dout where out > 0, else dout·(out + α)      since α·eˣ = out + α

    alpha : α ≥ 0; out approaches −α for x → −∞
    """

    def __init__(self, alpha: float = 1.0):
        expect_number("ELU", "alpha", alpha, least=0)
        self.alpha = alpha

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x)
        out = elu(x, self.alpha)                                # (ELU.1)
        return out, out

    def backward(self, dout: Array, out: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, out.shape, out.dtype)
        return elu_backward(dout, out, self.alpha) if input_grad else None  # (ELU.2)

    def __repr__(self) -> str:
        return f"ELU(alpha={self.alpha})"


@compiled
def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))                                  # at most 1, so nothing overflows
    return np.where(x < 0, small, 1) / (1 + small)              # (SIG.1)


@compiled
def sigmoid_backward(dout: Array, out: Array) -> Array:
    return dout * out * (1 - out)                               # (SIG.2)


class Sigmoid(Activation):
    """The logistic function, out = 1 / (1 + e⁻ˣ).

    (SIG.1)  out = 1 / (1 + e⁻ˣ)
    (SIG.2)  dx  = dout·out·(1 − out)
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x)
        out = sigmoid(x)                                        # (SIG.1)
        return out, out

    def backward(self, dout: Array, out: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, out.shape, out.dtype)
        return sigmoid_backward(dout, out) if input_grad else None  # (SIG.2)


@compiled
def tanh(x: Array) -> Array:
    return np.tanh(x)                                           # (TANH.1)


@compiled
def tanh_backward(dout: Array, out: Array) -> Array:
    return dout * (1 - out**2)                                  # (TANH.2)


class Tanh(Activation):
    """The hyperbolic tangent.

    (TANH.1)  out = tanh(x)
    (TANH.2)  dx  = dout·(1 − out²)
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x)
        out = tanh(x)                                           # (TANH.1)
        return out, out

    def backward(self, dout: Array, out: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, out.shape, out.dtype)
        return tanh_backward(dout, out) if input_grad else None  # (TANH.2)


@compiled
def silu(x: Array) -> tuple[Array, Array]:
    """(out, s) with s = σ(x), both in the shape of x."""
    sig = sigmoid(x)
    return x * sig, sig                                         # (SILU.1)


@compiled
def silu_backward(dout: Array, out: Array, sig: Array) -> Array:
    return dout * (sig + out * (1 - sig))                       # (SILU.2)


class SiLU(Activation):
    """The sigmoid-weighted linear unit, out = x·σ(x) (Elfwing et al. 2018).

    (SILU.1)  out = x·s,  s = σ(x)
    (SILU.2)  dx  = dout·(s + out·(1 − s))

    The cache is (out, s). The next layer keeps out anyway, so x need not be kept.
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple[Array, Array]]:
        self.expect(x)
        out, sig = silu(x)                                      # (SILU.1)
        return out, (out, sig)

    def backward(self, dout: Array, cache: tuple[Array, Array], input_grad: bool = True) -> Any:
        out, sig = cache
        self.expect_gradient(dout, out.shape, out.dtype)
        return silu_backward(dout, out, sig) if input_grad else None  # (SILU.2)


@compiled
def gelu(x: Array) -> Array:
    u = GELU_A * (x + GELU_B * x**3)                            # √(2/π)·(x + 0.044715·x³)
    return x * sigmoid(2 * u)                                   # (GELU.1)


@compiled
def gelu_backward(dout: Array, x: Array) -> Array:
    u = GELU_A * (x + GELU_B * x**3)
    du = np.minimum(GELU_A * (1 + 3 * GELU_B * x**2), GELU_LARGEST_SLOPE)
    sig = sigmoid(2 * u)
    return dout * (sig + 2 * sig * (1 - sig) * x * du)          # (GELU.2)


class GELU(Activation):
    """The Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016, section 2).

    With u = √(2/π)·(x + 0.044715·x³) and ½·(1 + tanh u) = σ(2u):

    (GELU.1)  out = x·s,  s = σ(2u)
    (GELU.2)  dx  = dout·(s + 2·x·s·(1 − s)·du),  du = √(2/π)·(1 + 3·0.044715·x²)

    The same function in PyTorch is GELU(approximate="tanh").
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x)
        return gelu(x), x                                       # (GELU.1)

    def backward(self, dout: Array, x: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, x.shape, x.dtype)
        return gelu_backward(dout, x) if input_grad else None   # (GELU.2)


@compiled
def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))      # (SOFTP.1)


@compiled
def softplus_backward(dout: Array, x: Array) -> Array:
    return dout * sigmoid(x)                                    # (SOFTP.2)


class Softplus(Activation):
    """The smooth rectifier, out = log(1 + eˣ) (Dugas et al. 2001).

    (SOFTP.1)  out = log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)      the right-hand form cannot overflow
    (SOFTP.2)  dx  = dout·σ(x)
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x)
        return softplus(x), x                                   # (SOFTP.1)

    def backward(self, dout: Array, x: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, x.shape, x.dtype)
        return softplus_backward(dout, x) if input_grad else None  # (SOFTP.2)
