"""Optimiser steps in plain NumPy. `value` and the moments are changed in place; all arrays are flat."""

import numpy as np


def sgd_step(grad, lr, value):
    value -= lr * grad  # (SGD.1)


def momentum_step(grad, lr, momentum, velocity, value):
    velocity[:] = momentum * velocity + grad  # (SGD.2)
    value -= lr * velocity  # (SGD.2)


def rmsprop_step(grad, lr, decay, eps, square, value):
    square[:] = decay * square + (1 - decay) * grad**2  # (RMS.1)
    value -= lr * grad / (np.sqrt(square) + eps)  # (RMS.2)


def adam_step(grad, lr, beta1, beta2, eps, correction1, correction2, m, v, value):
    m[:] = beta1 * m + (1 - beta1) * grad  # (ADAM.1)
    v[:] = beta2 * v + (1 - beta2) * grad**2  # (ADAM.2)
    mhat = m / correction1
    vhat = v / correction2
    value -= lr * mhat / (np.sqrt(vhat) + eps)  # (ADAM.3)
