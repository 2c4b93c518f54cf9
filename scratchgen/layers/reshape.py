"""Layers that change the shape of every example, for example between convolutions and dense layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.checks import Array, positive
from scratchgen.layers.base import Layer

ShapeAndDtype = tuple[tuple[int, ...], np.dtype]


class Reshape(Layer):
    """Give every example a new shape: x (N, ...) becomes (N, *shape). out is a view of x where possible.

    backward reshapes the gradient to the shape of x. The cache is (shape, dtype) of x. Raises ValueError if
    the number of entries per example differs.

    shape : the new axes, without the N examples
    """

    def __init__(self, *shape: int):
        for size in shape:
            positive("Reshape", size=size)
        self.shape = shape

    def target(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output for an input of the given shape."""
        if not shape or math.prod(shape[1:]) != math.prod(self.shape):
            wanted = ", ".join(map(str, self.shape))
            size = math.prod(self.shape)
            raise ValueError(f"Reshape to (N, {wanted}) expected {size} values per example, got {shape}")
        return shape[0], *self.shape

    def forward(self, x: Array, training: bool = False) -> tuple[Array, ShapeAndDtype]:
        self.expect(x)
        return x.reshape(self.target(x.shape)), (x.shape, x.dtype)

    def backward(self, dout: Array, cache: ShapeAndDtype, input_grad: bool = True) -> Any:
        shape, dtype = cache
        self.expect_gradient(dout, self.target(shape), dtype)
        return dout.reshape(shape) if input_grad else None

    def jvp(self, dx: Array, cache: ShapeAndDtype) -> Array:
        """Return J·dx: dx in the new shape."""
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
            raise ValueError(f"Flatten expected an array with at least two axes, (N, ...), got shape {shape}")
        return shape[0], math.prod(shape[1:])
