"""Activations in plain NumPy, as the derivation has them. Arrays are flat; the last argument is written."""

import numpy as np

GELU_A = (2 / np.pi) ** 0.5
GELU_B = 0.044715


def relu_forward(x, out):
    np.maximum(x, 0, out=out)  # (RELU.1)


def relu_backward(dout, out, dx):
    np.multiply(dout, out > 0, out=dx)  # (RELU.2)


def leaky_relu_forward(x, slope, out):
    out[:] = np.where(x < 0, slope * x, x)  # (LRELU.1)


def leaky_relu_backward(dout, x, slope, dx):
    dx[:] = np.where(x > 0, dout, slope * dout)  # (LRELU.2)


def elu_forward(x, alpha, out):
    out[:] = np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)  # (ELU.1)


def elu_backward(dout, out, alpha, dx):
    dx[:] = np.where(out > 0, dout, dout * (out + alpha))  # (ELU.2)


def sigmoid_forward(x, out):
    small = np.exp(-np.abs(x))  # at most 1, so nothing overflows
    out[:] = np.where(x < 0, small, 1) / (1 + small)  # (SIG.1)


def sigmoid_backward(dout, out, dx):
    dx[:] = dout * out * (1 - out)  # (SIG.2)


def tanh_forward(x, out):
    np.tanh(x, out=out)  # (TANH.1)


def tanh_backward(dout, out, dx):
    dx[:] = dout * (1 - out**2)  # (TANH.2)


def silu_forward(x, sig, out):
    sigmoid_forward(x, sig)
    np.multiply(x, sig, out=out)  # (SILU.1)


def silu_backward(dout, out, sig, dx):
    dx[:] = dout * (sig + out * (1 - sig))  # (SILU.2)


def gelu_forward(x, out):
    u = GELU_A * (x + GELU_B * x**3)
    sigmoid_forward(2 * u, out)  # ½·(1 + tanh u) = σ(2u)
    out *= x  # (GELU.1)


def gelu_backward(dout, x, dx):
    u = GELU_A * (x + GELU_B * x**3)
    du = GELU_A * (1 + 3 * GELU_B * x**2)
    sig = np.empty_like(x)
    sigmoid_forward(2 * u, sig)
    dx[:] = dout * (sig + 2 * x * sig * (1 - sig) * du)  # (GELU.2)


def softplus_forward(x, out):
    out[:] = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))  # (SOFTP.1)


def softplus_backward(dout, x, dx):
    sigmoid_forward(x, dx)
    dx *= dout  # (SOFTP.2)
