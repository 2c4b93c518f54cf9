"""The affine map, the building block of dense networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, expect_flags, expect_function, positive
from scratchgen.initializers import glorot_uniform
from scratchgen.kernels import compiled
from scratchgen.layers.base import Layer, Parameter, float_dtype, rows


@compiled
def affine(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x·W + b for x (…, D), weight (D, M) and bias (M,), or x·W without a bias."""
    return x @ weight + (0 if bias is None else bias)           # (LIN.1)  (…, M)


@compiled
def affine_bias_grad(dout: Array) -> Array:
    """The gradient of the bias, (M,), for dout (…, M)."""
    return rows(dout).sum(axis=0)                               # (LIN.3)  (M,)


@compiled
def affine_input_grad(dout: Array, weight: Array) -> Array:
    """The gradient of x for dout (…, M) and weight (D, M)."""
    return dout @ weight.T                                      # (LIN.4)  (…, D)


class Linear(Layer):
    """An affine map, out = x·W + b.

    (LIN.1)  out = x·W + b        x (N, D), W (D, M), b (M,), out (N, M)
    (LIN.2)  dW  = xᵀ·dout
    (LIN.3)  db  = Σₙ doutₙ
    (LIN.4)  dx  = dout·Wᵀ

    Further axes between the first and the last, as in (N, T, D), are treated like N. Derived in
    docs/backprop.md.

    in_features, out_features : D and M
    bias : if False, out = x·W
    init : function (shape, fan_in, fan_out, *, rng, dtype) -> array; the bias starts at zero
    rng : a Generator or an integer seed
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        init: Callable[..., Array] = glorot_uniform,
    ):
        who = type(self).__name__
        positive(who, in_features=in_features, out_features=out_features)
        expect_flags(who, bias=bias)
        expect_function(who, "init", init)
        dtype, rng = float_dtype(who, dtype), as_generator(who, rng)
        self.in_features, self.out_features = in_features, out_features
        shape = (in_features, out_features)
        self.weight = Parameter(init(shape, in_features, out_features, rng=rng, dtype=dtype))
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        self.expect(x, features=self.in_features)
        bias = None if self.bias is None else self.bias.value
        return affine(x, self.weight.value, bias), x            # (LIN.1)  (N, M)

    def backward(self, dout: Array, x: Array, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, (*x.shape[:-1], self.out_features), x.dtype)
        if self.trainable:
            self.weight.add_grad(rows(x).T, rows(dout))         # (LIN.2)  (D, M)
            if self.bias is not None:
                self.bias.grad += affine_bias_grad(dout)        # (LIN.3)  (M,)
        if not input_grad:
            return None
        return affine_input_grad(dout, self.weight.value)       # (LIN.4)  (N, D)

    def jvp(self, dx: Array, x: Array) -> Array:
        """Return J·dx = dx·W."""
        self.expect_gradient(dx, x.shape, x.dtype)
        return affine(dx, self.weight.value)

    def output_shape_text(self) -> str:
        return f"(N, {self.out_features})"

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.in_features}, {self.out_features}, bias={self.bias is not None})"
        )
