"""A dense layer, with a mistake in the bias"""

import numpy as np

from scratchgen import Layer, Parameter


class Dense(Layer):
    def __init__(self, features, outputs, rng):
        self.weight = Parameter(rng.standard_normal((features, outputs)))
        self.bias = Parameter(np.zeros(outputs))

    def forward(self, x, training=False):
        return x @ self.weight.value + self.bias.value, x

    def backward(self, dout, cache, input_grad=True):
        x = cache
        if self.trainable:
            self.weight.grad += x.T @ dout
            self.bias.grad += dout.mean(axis=0)
        return dout @ self.weight.value.T if input_grad else None
