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

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))  # what kernels are written for, in native byte order


def float_dtype(who: str, dtype: DTypeLike) -> np.dtype:
    """Return `dtype` as a dtype; raise TypeError, in the name of `who`, unless it is float32 or float64."""
    if np.dtype(dtype) not in FLOATS:
        raise TypeError(f"{who} expected dtype float32 or float64, got {np.dtype(dtype)}")
    return np.dtype(dtype)


def column_sums(a: np.ndarray) -> np.ndarray:
    """Σ over the rows. BLAS does it in 57 µs where sum(axis=0) takes 158 (8,192 x 128, float32)."""
    return np.ones(len(a), a.dtype) @ a


class Parameter:
    """An array that is learnt, and the gradient that belongs to it.

    value, grad : arrays of one shape and dtype. Once an optimiser holds the parameter, both are views
    into its flat buffers, so assign into them (``p.value[...] = w``) rather than to them. Both lie in C order
    (a value that doesn't is copied), so that a reshape of either is a view.

    zero_grad writes no zeros yet: whoever reads `grad` next finds them, but the first product is written
    straight over what was there. What is written into an array that was read from `grad` before zero_grad
    would be lost, so read it anew. (A step of the autoencoder 784-1000-500-250-30 at batch 128, two threads:
    9.3 ms with zeros written and added to, 8.7 without.)

    Raises TypeError for anything but float32 and float64.
    """

    def __init__(self, value: np.ndarray):
        self.value = np.asarray(value, order="C")
        float_dtype("Parameter", self.value.dtype)
        self.grad = np.zeros_like(self.value)

    @property
    def grad(self) -> np.ndarray:
        self.settle()
        return self._grad

    @grad.setter
    def grad(self, grad: np.ndarray) -> None:
        self._grad, self._is_zero = grad, False

    def zero_grad(self) -> None:
        """Set the gradient to zero."""
        self._is_zero = True

    def settle(self) -> None:
        """Write the zeros that zero_grad left unwritten, for those who read the array by another way."""
        if self._is_zero:
            self._grad[...] = 0
            self._is_zero = False

    def add_product(self, a: np.ndarray, b: np.ndarray) -> None:
        """grad += a·b, the weight seen as a matrix (rows, last axis); where it is zero, written there."""
        if self._is_zero:
            np.matmul(a, b, out=self._grad.reshape(-1, self.shape[-1]))
            self._is_zero = False
        else:
            self.grad += (a @ b).reshape(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def size(self) -> int:
        return self.value.size

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"


class Layer:
    """Base of all layers and models: named parameters, named buffers, and the frozen switch.

    A subclass assigns its Parameters, its buffers (plain arrays named in `buffer_names`) and its
    sublayers as attributes; the dictionaries below find them in the order of assignment.
    """

    buffer_names: tuple[str, ...] = ()
    trainable = True
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

    def children(self) -> dict[str, Layer]:
        """The layers directly inside this one, by name."""
        return {name: v for name, v in vars(self).items() if isinstance(v, Layer)}

    def parameters(self) -> dict[str, Parameter]:
        """Every Parameter in and below this layer, by dotted name ("encoder.0.weight")."""
        own = {name: v for name, v in vars(self).items() if isinstance(v, Parameter)}
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": p for name, p in child.parameters().items()}
        return own

    def buffers(self) -> dict[str, np.ndarray]:
        """State that is kept but not learnt (running_mean, running_var), by dotted name."""
        own = {name: getattr(self, name) for name in self.buffer_names}
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": b for name, b in child.buffers().items()}
        return own

    def generators(self) -> dict[str, np.random.Generator]:
        """Every random generator held in and below this layer (Dropout's), by dotted name."""
        own = {name: v for name, v in vars(self).items() if isinstance(v, np.random.Generator)}
        for child_name, child in self.children().items():
            own |= {f"{child_name}.{name}": g for name, g in child.generators().items()}
        return own

    def zero_grad(self) -> None:
        """Set every parameter's gradient to zero (gradients add up until someone does)."""
        for p in self.parameters().values():
            p.zero_grad()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the parameters: inside, their gradients are neither computed nor changed.

        Gradients still flow through to the input, which is what a generator needs of its discriminator.
        """
        layers = list(self._tree())
        before = [layer.trainable for layer in layers]
        for layer in layers:
            layer.trainable = False
        try:
            yield
        finally:
            for layer, was in zip(layers, before, strict=True):
                layer.trainable = was

    def _tree(self) -> Iterator[Layer]:
        yield self
        for child in self.children().values():
            yield from child._tree()

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

    @property
    def dtype(self) -> np.dtype | None:
        """The dtype of the parameters (it decides what the layer computes in); None without parameters."""
        own = (v.dtype for v in vars(self).values() if isinstance(v, Parameter))
        below = (child.dtype for child in self.children().values())
        return next((dtype for dtype in chain(own, below) if dtype is not None), None)

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}: {child!r}" for name, child in self.children().items())
        return f"{type(self).__name__}({inner})"


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

    def children(self) -> dict[str, Layer]:
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
