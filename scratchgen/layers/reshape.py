"""The same numbers in another shape, as between convolutions and dense layers."""

import math

from scratchgen.checks import positive
from scratchgen.layers.base import Layer


class Reshape(Layer):
    """Give every example a new shape: x (N, ...) becomes (N, *shape); out is a view of x where it can be.

    The gradient goes back into the shape that x had. Raises ValueError where the sizes differ.

    shape : the new axes, without the N examples
    """

    piecewise_linear = True

    def __init__(self, *shape):
        for size in shape:
            positive("Reshape", size=size)
        self.shape = shape

    def target(self, shape):
        """The shape that an array of this shape will have."""
        if not shape or math.prod(shape[1:]) != math.prod(self.shape):
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"Reshape to (N, {wanted}) expected as many numbers an example, got {shape}")
        return shape[0], *self.shape

    def forward(self, x, training=False):
        self.expect(x)
        return x.reshape(self.target(x.shape)), (x.shape, x.dtype)

    def backward(self, dout, cache, input_grad=True):
        shape, dtype = cache
        self.expect_gradient(dout, self.target(shape), dtype)
        return dout.reshape(shape) if input_grad else None

    def jvp(self, dx, cache):
        """Push a tangent forward: the same new shape."""
        self.expect_gradient(dx, *cache)
        return dx.reshape(self.target(dx.shape))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.shape))})"


class Flatten(Reshape):
    """Lay every example out in one row: x (N, ...) becomes (N, D), D the product of the other axes."""

    def __init__(self):
        super().__init__()

    def target(self, shape):
        if len(shape) < 2:
            raise ValueError(f"Flatten expected examples of one axis or more, (N, ...), got {shape}")
        return shape[0], math.prod(shape[1:])
