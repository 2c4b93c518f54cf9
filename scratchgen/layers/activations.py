"""The activations: functions of one number, applied to every entry.

Their Jacobian is diagonal, so backward multiplies by the derivative, and pushing a tangent forward is the
same multiplication: jvp(dx, cache) = backward(dx, cache). The loops live in kernels/*/activations.py. Derived
in docs/backprop.md.
"""

import numpy as np

from scratchgen import kernels
from scratchgen.layers.base import Layer
from scratchgen.runtime import threads


def elementwise(kernel, *arrays, setting=None, outputs=1):
    """Run a flat kernel over arrays of one shape, with a setting in their dtype; return new array(s)."""
    first = arrays[0]
    if any(a.shape != first.shape for a in arrays):
        raise ValueError(f"elementwise expected arrays of one shape, got {[a.shape for a in arrays]}")
    flat = [a.reshape(-1) for a in arrays]
    settings = [] if setting is None else [first.dtype.type(setting)]
    results = [np.empty(first.size, first.dtype) for _ in range(outputs)]

    def work(part):
        kernel(*(a[part] for a in flat), *settings, *(r[part] for r in results))

    threads.share(work, first.size, least=threads.ENTRIES)
    shaped = [r.reshape(first.shape) for r in results]
    return shaped[0] if outputs == 1 else shaped


class Activation(Layer):
    """What the activations share: no parameters, and a Jacobian that is its own transpose."""

    def jvp(self, dx, cache):
        """Push a tangent forward; the Jacobian is diagonal, so this is what backward does."""
        return self.backward(dx, cache)


class ReLU(Activation):
    """The rectifier, out = max(x, 0) (Nair & Hinton 2010).

    (RELU.1)  out = max(x, 0)
    (RELU.2)  dx  = dout where out > 0, else 0          at the kink x = 0 this takes the slope 0
    """

    piecewise_linear = True

    def forward(self, x, training=False):
        self.expect(x)
        out = elementwise(kernels.activations.relu_forward, x)  # (RELU.1)
        return out, out

    def backward(self, dout, out, input_grad=True):
        self.expect_gradient(dout, out.shape, out.dtype)
        if input_grad:
            return elementwise(kernels.activations.relu_backward, dout, out)  # (RELU.2)
        return None


class LeakyReLU(Activation):
    """The rectifier that leaks, out = x for x > 0, else slope·x (Maas et al. 2013).

    (LRELU.1)  out = x where x ≥ 0, else slope·x
    (LRELU.2)  dx  = dout where x > 0, else slope·dout
    """

    piecewise_linear = True

    def __init__(self, negative_slope=0.01):
        self.negative_slope = negative_slope

    def forward(self, x, training=False):
        self.expect(x)
        out = elementwise(kernels.activations.leaky_relu_forward, x, setting=self.negative_slope)  # (LRELU.1)
        return out, x

    def backward(self, dout, x, input_grad=True):
        self.expect_gradient(dout, x.shape, x.dtype)
        if input_grad:
            slope = self.negative_slope
            return elementwise(kernels.activations.leaky_relu_backward, dout, x, setting=slope)  # (LRELU.2)
        return None


class ELU(Activation):
    """The exponential linear unit (Clevert et al. 2016).

    (ELU.1)  out = x where x ≥ 0, else α·(eˣ − 1)
    (ELU.2)  dx  = dout where out > 0, else dout·(out + α)      since α·eˣ = out + α
    """

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def forward(self, x, training=False):
        self.expect(x)
        out = elementwise(kernels.activations.elu_forward, x, setting=self.alpha)  # (ELU.1)
        return out, out

    def backward(self, dout, out, input_grad=True):
        self.expect_gradient(dout, out.shape, out.dtype)
        if input_grad:
            return elementwise(kernels.activations.elu_backward, dout, out, setting=self.alpha)  # (ELU.2)
        return None


class Sigmoid(Activation):
    """The logistic function, out = 1 / (1 + e⁻ˣ).

    (SIG.1)  out = 1 / (1 + e⁻ˣ)
    (SIG.2)  dx  = dout·out·(1 − out)
    """

    def forward(self, x, training=False):
        self.expect(x)
        out = elementwise(kernels.activations.sigmoid_forward, x)  # (SIG.1)
        return out, out

    def backward(self, dout, out, input_grad=True):
        self.expect_gradient(dout, out.shape, out.dtype)
        if input_grad:
            return elementwise(kernels.activations.sigmoid_backward, dout, out)  # (SIG.2)
        return None


class Tanh(Activation):
    """The hyperbolic tangent.

    (TANH.1)  out = tanh(x)
    (TANH.2)  dx  = dout·(1 − out²)
    """

    def forward(self, x, training=False):
        self.expect(x)
        out = elementwise(kernels.activations.tanh_forward, x)  # (TANH.1)
        return out, out

    def backward(self, dout, out, input_grad=True):
        self.expect_gradient(dout, out.shape, out.dtype)
        if input_grad:
            return elementwise(kernels.activations.tanh_backward, dout, out)  # (TANH.2)
        return None


class SiLU(Activation):
    """The sigmoid-weighted linear unit, out = x·σ(x) (Elfwing et al. 2018).

    (SILU.1)  out = x·s,  s = σ(x)
    (SILU.2)  dx  = dout·(s + out·(1 − s))              out is kept by whoever comes next, and x by nobody
    """

    def forward(self, x, training=False):
        self.expect(x)
        sig, out = elementwise(kernels.activations.silu_forward, x, outputs=2)  # (SILU.1)
        return out, (out, sig)

    def backward(self, dout, cache, input_grad=True):
        out, sig = cache
        self.expect_gradient(dout, out.shape, out.dtype)
        if input_grad:
            return elementwise(kernels.activations.silu_backward, dout, out, sig)  # (SILU.2)
        return None


class GELU(Activation):
    """The Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016, section 2).

    With u = √(2/π)·(x + 0.044715·x³) and ½·(1 + tanh u) = σ(2u):

    (GELU.1)  out = x·s,  s = σ(2u)
    (GELU.2)  dx  = dout·(s + 2·x·s·(1 − s)·du),  du = √(2/π)·(1 + 3·0.044715·x²)

    PyTorch's twin is GELU(approximate="tanh").
    """

    def forward(self, x, training=False):
        self.expect(x)
        return elementwise(kernels.activations.gelu_forward, x), x  # (GELU.1)

    def backward(self, dout, x, input_grad=True):
        self.expect_gradient(dout, x.shape, x.dtype)
        if input_grad:
            return elementwise(kernels.activations.gelu_backward, dout, x)  # (GELU.2)
        return None


class Softplus(Activation):
    """The smooth rectifier, out = log(1 + eˣ) (Dugas et al. 2001).

    (SOFTP.1)  out = log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)      the right-hand form can't overflow
    (SOFTP.2)  dx  = dout·σ(x)
    """

    def forward(self, x, training=False):
        self.expect(x)
        return elementwise(kernels.activations.softplus_forward, x), x  # (SOFTP.1)

    def backward(self, dout, x, input_grad=True):
        self.expect_gradient(dout, x.shape, x.dtype)
        if input_grad:
            return elementwise(kernels.activations.softplus_backward, dout, x)  # (SOFTP.2)
        return None
