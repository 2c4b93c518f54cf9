"""Layers that change the shape of every example, as between convolutions and dense layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.checks import Array, positive
from scratchgen.layers.base import Layer

ShapeAndDtype = tuple[tuple[int, ...], np.dtype]


class Reshape(Layer):
    """Give every example a new shape: x (N, ...) becomes (N, *shape). out is a view of x where possible.

    backward gives the gradient the shape that x had. The cache is (shape, dtype) of x. Raises ValueError if
    the sizes differ.

    shape : the new axes, without the N examples
    """

    def __init__(self, *shape: int):
        for size in shape:
            positive("Reshape", size=size)
        self.shape = shape

    def target(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the output for an input of the given shape."""
        if not shape or math.prod(shape[1:]) != math.prod(self.shape):
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"Reshape to (N, {wanted}) expected as many numbers an example, got {shape}")
        return shape[0], *self.shape

    def forward(self, x: Array, training: bool = False) -> tuple[Array, ShapeAndDtype]:
        self.expect(x)
        return x.reshape(self.target(x.shape)), (x.shape, x.dtype)

    def backward(self, dout: Array, cache: ShapeAndDtype, input_grad: bool = True) -> Any:
        shape, dtype = cache
        self.expect_gradient(dout, self.target(shape), dtype)
        return dout.reshape(shape) if input_grad else None

    def jvp(self, dx: Array, cache: ShapeAndDtype) -> Array:
        """Push a tangent forward: give it the same new shape."""
        self.expect_gradient(dx, *cache)
        return dx.reshape(self.target(dx.shape))

    def output_shape_text(self) -> str:
        return f"(N, {', '.join(map(str, self.shape))})" if self.shape else "(N, D)"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.shape))})"


class Flatten(Reshape):
    """Flatten every example: x (N, ...) becomes (N, D), where D is the product of the other axes."""

    def __init__(self) -> None:
        super().__init__()

    def target(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) < 2:
            raise ValueError(f"Flatten expected examples of one axis or more, (N, ...), got {shape}")
        return shape[0], math.prod(shape[1:])
