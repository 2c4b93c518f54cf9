"""The base class of all layers.

Every layer follows this contract:

    out, cache = layer.forward(x, training=False)
    dx = layer.backward(dout, cache)                  also adds to p.grad of every parameter
    layer.backward(dout, cache, input_grad=False)     skips dx when it is not needed
    with layer.frozen(): ...                          no parameter gradient is computed or changed

A layer keeps no state between calls. Everything that backward needs is in the cache, which the caller passes
from forward to backward. So a layer can be applied twice before backward is called for either output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.array_hints import array_hint
from scratchgen.checks import (
    FLOATS,
    Array,
    describe,
    float_dtype,
    is_plain_array,
    wrong_dtype,
)
from scratchgen.layers.returned import check_returned
from scratchgen.module import Module, Parameter

__all__ = ["FLOATS", "Array", "Layer", "Parameter", "float_dtype", "rows"]


def rows(a: Array) -> Array:
    """Reshape (…, C) to (M, C): all axes but the last are joined."""
    return a.reshape(-1, a.shape[-1])


class CheckedModule(Module):
    """A module with checks of what forward and backward are given. All layers are, and networks of a time."""

    def expect(
        self,
        x: Array,
        *,
        features: int | None = None,
        ndim: int | None = None,
        channels: int | None = None,
    ) -> None:
        """Check the input of forward.

        features : the size of the last axis
        ndim : the number of axes
        channels : the size of the last axis of images (N, H, W, C)

        Raises TypeError if x is not an array or its dtype is not that of the parameters, ValueError for a
        wrong shape. The message names the layer, what was expected and what was given.
        """
        who = type(self).__name__
        if not is_plain_array(x):
            raise TypeError(f"{who} expected a NumPy array, got {describe(x)}{array_hint(x)}")
        dtype = self.dtype
        if x.dtype not in FLOATS or (dtype is not None and x.dtype != dtype):
            raise TypeError(wrong_dtype(who, x.dtype, dtype))
        if features is not None and (x.ndim < 2 or x.shape[-1] != features):
            raise ValueError(f"{who} expected input of shape (N, {features}), got {x.shape}")
        if channels is not None and (x.ndim != 4 or x.shape[-1] != channels):
            raise ValueError(f"{who} expected images of shape (N, H, W, {channels}), got {x.shape}")
        if ndim is not None and x.ndim != ndim:
            raise ValueError(f"{who} expected an array with {ndim} axes, got shape {x.shape}")

    def expect_gradient(self, dout: Array, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Check that dout, given to backward or jvp, has the shape and dtype that the cache implies.

        Compiled functions do not check array bounds, so every backward and every jvp calls this first. Raises
        TypeError if dout is not an array or has another dtype, ValueError for another shape.
        """
        who = type(self).__name__
        if not is_plain_array(dout):
            raise TypeError(f"{who} expected a gradient or tangent, a NumPy array, got {describe(dout)}")
        if dout.shape != shape:
            raise ValueError(
                f"{who} expected a gradient or tangent of shape {shape}, got {dout.shape}; "
                "is this the cache of another batch?"
            )
        if dout.dtype != dtype:
            raise TypeError(f"{who} expected a gradient or tangent of dtype {dtype}, got {dout.dtype}")


class Layer(CheckedModule):
    """Base class of all layers. A subclass defines forward and backward, and most also define jvp."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.__module__.startswith("scratchgen.") and cls.forward is not Layer.forward:
            check_returned(cls)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Any]:
        """Return (out, cache). The cache holds everything that backward needs."""
        raise TypeError(f"{type(self).__name__} does not define forward")

    def backward(self, dout: Array, cache: Any, input_grad: bool = True) -> Any:
        """Add the gradients of the parameters to p.grad; return dx, or None if input_grad is False."""
        raise TypeError(f"{type(self).__name__} does not define backward")

    def jvp(self, dx: Array, cache: Any) -> Array:
        """Return the Jacobian-vector product J·dx, the change of out for a small change dx of the input."""
        raise TypeError(f"{type(self).__name__} does not define jvp")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise TypeError. forward returns two values, and a call would have to hide one of them."""
        raise TypeError(
            f"{type(self).__name__} cannot be called; use out, cache = layer.forward(x), "
            "and keep the cache for layer.backward(dout, cache)"
        )
