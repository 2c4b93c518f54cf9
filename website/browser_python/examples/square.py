"""Square, with a mistake in backward"""

from scratchgen import Layer


class Square(Layer):
    def forward(self, x, training=False):
        return x**2, x

    def backward(self, dout, cache, input_grad=True):
        x = cache
        return dout * x if input_grad else None
