"""The affine map, from which every dense network is made."""

import numpy as np

from scratchgen.checks import positive
from scratchgen.initializers import glorot_uniform
from scratchgen.layers.base import Layer, Parameter, column_sums, float_dtype
from scratchgen.runtime import threads

# Rows that are worth a thread of ours. With fewer BLAS shares a product better, since each of ours would lay
# out the whole weight anew; with many, the bias is added where the product has just been written.
ROWS = 1024


class Linear(Layer):
    """An affine map, out = x·W + b.

    (LIN.1)  out = x·W + b        x (N, D), W (D, M), b (M,), out (N, M)
    (LIN.2)  dW  = xᵀ·dout
    (LIN.3)  db  = Σₙ doutₙ
    (LIN.4)  dx  = dout·Wᵀ

    Axes between the first and the last, (N, T, D), count as more examples. Derived in docs/backprop.md.

    in_features, out_features : D and M
    bias : without it, out = x·W
    init : function (shape, fan_in, fan_out, *, rng, dtype) -> array; the bias starts at zero
    """

    piecewise_linear = True

    def __init__(self, in_features, out_features, bias=True, *, rng, dtype=np.float32, init=glorot_uniform):
        positive("Linear", in_features=in_features, out_features=out_features)
        dtype = float_dtype("Linear", dtype)
        self.in_features, self.out_features = in_features, out_features
        shape = (in_features, out_features)
        self.weight = Parameter(init(shape, in_features, out_features, rng=rng, dtype=dtype))
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x, training=False):
        self.expect(x, features=self.in_features)
        out = np.empty((*x.shape[:-1], self.out_features), x.dtype)
        rows, out_rows = x.reshape(-1, self.in_features), out.reshape(-1, self.out_features)

        def work(part):
            np.matmul(rows[part], self.weight.value, out=out_rows[part])
            if self.bias is not None:
                out_rows[part] += self.bias.value               # (LIN.1)

        threads.share(work, len(rows), least=ROWS)
        return out, x

    def backward(self, dout, x, input_grad=True):
        self.expect_gradient(dout, (*x.shape[:-1], self.out_features), x.dtype)
        if self.trainable:
            rows, drows = x.reshape(-1, self.in_features), dout.reshape(-1, self.out_features)
            self.weight.add_product(rows.T, drows)              # (LIN.2)  (D, M)
            if self.bias is not None:
                self.bias.grad += column_sums(drows)            # (LIN.3)  (M,)
        if not input_grad:
            return None
        if self.out_features == 1:  # an outer product: as one of matrices 0.79 ms, so 0.04 (128 and 6,272)
            return dout * self.weight.value.T
        return dout @ self.weight.value.T                       # (LIN.4)  (N, D)

    def jvp(self, dx, x):
        """Push a tangent forward: dout = dx·W."""
        self.expect_gradient(dx, x.shape, x.dtype)
        return dx @ self.weight.value

    def tangent_backward(self, dout, dx):
        self.expect(dx, features=self.in_features)
        self.expect_gradient(dout, (*dx.shape[:-1], self.out_features), dx.dtype)
        if self.trainable:                                      # (LIN.2), with the tangent for x
            self.weight.add_product(dx.reshape(-1, self.in_features).T, dout.reshape(-1, self.out_features))

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}, bias={self.bias is not None})"
