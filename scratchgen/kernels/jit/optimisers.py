"""Optimiser steps, one pass over flat buffers each; the formulas stand in kernels/reference/optimisers.py."""

import numpy as np

from scratchgen.kernels.jit.compile import kernel


@kernel
def sgd_step(grad, lr, value):
    for i in range(value.size):
        value[i] -= lr * grad[i]


@kernel
def momentum_step(grad, lr, momentum, velocity, value):
    for i in range(value.size):
        velocity[i] = momentum * velocity[i] + grad[i]
        value[i] -= lr * velocity[i]


@kernel
def rmsprop_step(grad, lr, decay, eps, square, value):
    one = value.dtype.type(1)
    for i in range(value.size):
        square[i] = decay * square[i] + (one - decay) * grad[i] * grad[i]
        value[i] -= lr * grad[i] / (np.sqrt(square[i]) + eps)


@kernel
def adam_step(grad, lr, beta1, beta2, eps, correction1, correction2, m, v, value):
    one = value.dtype.type(1)
    rate = lr / correction1
    unbias = one / np.sqrt(correction2)
    for i in range(value.size):
        m[i] = beta1 * m[i] + (one - beta1) * grad[i]
        v[i] = beta2 * v[i] + (one - beta2) * grad[i] * grad[i]
        value[i] -= rate * m[i] / (np.sqrt(v[i]) * unbias + eps)
