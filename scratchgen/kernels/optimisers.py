"""Twins of training/optimisers.py. Each makes one pass over the flat buffers and changes them in place."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.parts import share
from scratchgen.kernels.shapes import expects


@expects(value="p", grad="p")
def sgd_step(value: np.ndarray, grad: np.ndarray, lr: float) -> None:
    _expect_writable("sgd_step", value)
    share(_sgd_step, (grad, value), (value.dtype.type(lr),))


@expects(value="p", grad="p", velocity="p")
def momentum_step(
    value: np.ndarray, grad: np.ndarray, velocity: np.ndarray, lr: float, momentum: float
) -> None:
    _expect_writable("momentum_step", value, velocity)
    number = value.dtype.type
    share(_momentum_step, (grad, velocity, value), (number(lr), number(momentum)))


@expects(value="p", grad="p", square="p")
def rmsprop_step(
    value: np.ndarray, grad: np.ndarray, square: np.ndarray, lr: float, decay: float, eps: float
) -> None:
    _expect_writable("rmsprop_step", value, square)
    number = value.dtype.type
    settings = (number(lr), number(decay), number(1 - decay), number(eps))
    share(_rmsprop_step, (grad, square, value), settings)


@expects(value="p", grad="p", m="p", v="p")
def adam_step(
    value: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    t: int,
) -> None:
    _expect_writable("adam_step", value, m, v)
    # Computed in float32, 1 − 0.999 would have an error of 1.3e-5, relative to 0.001.
    rate, unbias = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    settings = [value.dtype.type(s) for s in (rate, beta1, 1 - beta1, beta2, 1 - beta2, eps, unbias)]
    share(_adam_step, (grad, m, v, value), tuple(settings))


def _expect_writable(who: str, *arrays: np.ndarray) -> None:
    if not all(a.flags.writeable for a in arrays):
        raise ValueError(f"{who} expected arrays that it may change, got one that is read-only")


@kernel("contract")
def _sgd_step(grad, value, lr):
    for i in range(value.size):
        value[i] -= lr * grad[i]


@kernel("contract")
def _momentum_step(grad, velocity, value, lr, momentum):
    for i in range(value.size):
        velocity[i] = momentum * velocity[i] + grad[i]
        value[i] -= lr * velocity[i]


@kernel()
def _rmsprop_step(grad, square, value, lr, decay, rest, eps):
    for i in range(value.size):
        square[i] = decay * square[i] + rest * grad[i] * grad[i]
        value[i] -= lr * grad[i] / (np.sqrt(square[i]) + eps)


@kernel()
def _adam_step(grad, m, v, value, rate, beta1, rest1, beta2, rest2, eps, unbias):
    for i in range(value.size):
        m[i] = beta1 * m[i] + rest1 * grad[i]
        v[i] = beta2 * v[i] + rest2 * grad[i] * grad[i]
        value[i] -= rate * m[i] / (np.sqrt(v[i]) * unbias + eps)
