"""A sequence of layers, differentiated by the chain rule."""

from __future__ import annotations

from typing import Any

from scratchgen.checks import Array
from scratchgen.layers.base import Layer


class Sequential(Layer):
    """Apply layers one after another. backward calls them in reverse order, which is the chain rule.

    (SEQ.1)  out = f_k(…f_2(f_1(x)))
    (SEQ.2)  dx  = J_1ᵀ·(J_2ᵀ·(… (J_kᵀ·dout)))       from the right, so every product is with a vector

    The cache is the list of the layers' caches. Raises TypeError for an argument that is not a layer. Derived
    in docs/backprop.md.
    """

    def __init__(self, *layers: Layer):
        for layer in layers:
            if isinstance(layer, list | tuple):
                raise TypeError(f"Sequential expected layers, got a {type(layer).__name__}: unpack it with *")
            if isinstance(layer, type):
                raise TypeError(f"Sequential expected layers, got class {layer.__name__}: pass an instance")
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential expected layers, got {layer!r}")
        self.layers = list(layers)

    def children(self) -> dict[str, Any]:
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def forward(self, x: Array, training: bool = False) -> tuple[Array, list[Any]]:
        caches = []
        for layer in self.layers:                                           # (SEQ.1)
            x, cache = layer.forward(x, training)
            caches.append(cache)
        return x, caches

    def backward(self, dout: Array, caches: list[Any], input_grad: bool = True) -> Any:
        pairs = list(zip(self.layers, caches, strict=True))
        for i in range(len(pairs) - 1, -1, -1):                             # (SEQ.2)
            layer, cache = pairs[i]
            dout = layer.backward(dout, cache, input_grad or i > 0)
            if dout is None and i > 0:
                raise TypeError(f"{type(layer).__name__}.backward expected to return dx, got None")
        return dout

    def jvp(self, dx: Array, caches: list[Any]) -> Array:
        """Return J·dx, by calling jvp of every layer in order."""
        for layer, cache in zip(self.layers, caches, strict=True):
            dx = layer.jvp(dx, cache)
        return dx

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Layer:
        return self.layers[i]

    def __repr__(self) -> str:
        return "Sequential(" + ", ".join(map(repr, self.layers)) + ")"
