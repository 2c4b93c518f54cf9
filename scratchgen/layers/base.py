"""What every layer is: a forward, a backward, and the parameters between them.

The contract, in four lines:

    out, cache = layer.forward(x, training=False)
    dx = layer.backward(dout, cache)                  adds into p.grad of every parameter
    layer.backward(dout, cache, input_grad=False)     nobody asks for dx, so it isn't computed
    with layer.frozen(): ...                          no parameter gradient is computed or changed

A layer keeps nothing between calls: what backward needs is what forward returned, and it travels by
hand. So a layer may be applied twice before either backward, and data is seen to flow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.module import FLOATS, Module, Parameter, float_dtype

__all__ = ["FLOATS", "Layer", "Parameter", "Sequential", "column_sums", "float_dtype"]


def column_sums(a: np.ndarray) -> np.ndarray:
    """Σ over the rows. BLAS does it in 57 µs where sum(axis=0) takes 158 (8,192 x 128, float32)."""
    return np.ones(len(a), a.dtype) @ a


class Layer(Module):
    """Base of all layers. A subclass defines forward and backward, and jvp where it can."""

    piecewise_linear = False  # whether, between kinks, the Jacobian of each example is constant

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        """Return (out, cache); the cache is all that backward will need."""
        raise TypeError(f"{type(self).__name__} has no forward")

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        """Add the parameters' gradients into p.grad; return dx, or None where nobody asked for it."""
        raise TypeError(f"{type(self).__name__} has no backward")

    def tangent_backward(self, dout: np.ndarray, dx: np.ndarray) -> None:
        """Add the parameters' gradient of ⟨jvp(dx), dout⟩, dx a tangent; where there are no weights, nothing.

        A gradient penalty needs it, of piecewise linear layers: models/gradient_penalty.py. Raises TypeError
        for a layer with weights that has not written it.
        """
        if self.parameters():
            raise TypeError(f"{type(self).__name__} has no tangent_backward")

    def expect(
        self,
        x: np.ndarray,
        *,
        features: int | None = None,
        ndim: int | None = None,
        channels: int | None = None,
    ) -> None:
        """Check an input at the layer's door.

        Raises TypeError for what is no array or has another dtype than the parameters, ValueError for a
        wrong shape; either names the layer, what came and what was expected.
        """
        who = type(self).__name__
        if not isinstance(x, np.ndarray):
            raise TypeError(f"{who} expected a NumPy array, got {type(x).__name__}")
        dtype = self.dtype
        if x.dtype not in FLOATS or (dtype is not None and x.dtype != dtype):
            wanted = dtype if dtype is not None else "float32 or float64"
            raise TypeError(f"{who} expected dtype {wanted}, got {x.dtype}; cast it with x.astype(...)")
        if features is not None and (x.ndim < 2 or x.shape[-1] != features):
            raise ValueError(f"{who} expected input of shape (N, {features}), got {x.shape}")
        if channels is not None and (x.ndim != 4 or x.shape[-1] != channels):
            raise ValueError(f"{who} expected images of shape (N, H, W, {channels}), got {x.shape}")
        if ndim is not None and x.ndim != ndim:
            raise ValueError(f"{who} expected an array of {ndim} dimensions, got shape {x.shape}")

    def expect_gradient(self, dout: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Check what backward or jvp was given against the shape and dtype that its cache asks for.

        Compiled kernels don't notice where an array ends, so every backward and every jvp begins with this.
        Raises TypeError for what is no array or has another dtype, ValueError for another shape.
        """
        who = type(self).__name__
        if not isinstance(dout, np.ndarray):
            raise TypeError(f"{who} expected a gradient or tangent, a NumPy array, got {type(dout).__name__}")
        if dout.shape != shape:
            raise ValueError(
                f"{who} expected a gradient or tangent of shape {shape}, got {dout.shape}; "
                "is this the cache of another batch?"
            )
        if dout.dtype != dtype:
            raise TypeError(f"{who} expected a gradient or tangent of dtype {dtype}, got {dout.dtype}")


class Sequential(Layer):
    """Layers one after another; backward runs the same list from the end, which is the chain rule.

    (SEQ.1)  out = f_k(…f_2(f_1(x)))
    (SEQ.2)  dx  = J_1ᵀ·(J_2ᵀ·(… (J_kᵀ·dout)))       from the right, so only vectors travel

    The cache is the list of the layers' caches. Raises TypeError for what is no layer. Derived in
    docs/backprop.md.
    """

    def __init__(self, *layers: Layer):
        for layer in layers:
            if isinstance(layer, list | tuple):
                raise TypeError(f"Sequential expected layers, got a {type(layer).__name__}: unpack it with *")
            if isinstance(layer, type):
                raise TypeError(f"Sequential expected layers, got the class {layer.__name__}: call it first")
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential expected layers, got {layer!r}")
        self.layers = list(layers)

    def children(self) -> dict[str, Any]:
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def forward(self, x, training=False):
        caches = []
        for layer in self.layers:                                           # (SEQ.1)
            x, cache = layer.forward(x, training)
            caches.append(cache)
        return x, caches

    def backward(self, dout, caches, input_grad=True):
        pairs = list(zip(self.layers, caches, strict=True))
        for i in range(len(pairs) - 1, -1, -1):                             # (SEQ.2)
            layer, cache = pairs[i]
            dout = layer.backward(dout, cache, input_grad or i > 0)
        return dout

    def jvp(self, dx, caches):
        """Push a tangent forward through every layer: dout = J·dx."""
        for layer, cache in zip(self.layers, caches, strict=True):
            dx = layer.jvp(dx, cache)
        return dx

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Layer:
        return self.layers[i]

    def __repr__(self) -> str:
        return "Sequential(" + ", ".join(map(repr, self.layers)) + ")"
