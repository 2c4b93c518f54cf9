"""Layers some of whose connections are missing: what an autoregressive model is made of."""

import numpy as np

from scratchgen.initializers import glorot_uniform
from scratchgen.layers.linear import Linear


class MaskedLinear(Linear):
    """An affine map through the connections that a mask leaves (Germain et al. 2015, equation 9).

    (MASK.1)  out = x·(M∘W) + b       x (N, D), W and M (D, M), b (M,), out (N, M);  ∘ entry by entry
    (MASK.2)  dW  = M∘(xᵀ·dout)       a missing connection has no gradient, and its weight stays as it is
    (MASK.3)  dx  = dout·(M∘W)ᵀ

    The mask acts on a product made for one forward, and never on the weights themselves: forward takes
    another mask for one call, and the same weights serve under many. Derived in docs/autoregressive.md.

    mask : (D, M) of True and False, [i, j] for the connection from input i to output j; a buffer
    bias, init : as for Linear

    Raises ValueError for a mask of another shape, TypeError for one that isn't of bools.
    """

    buffer_names = ("mask",)

    def __init__(
        self, in_features, out_features, mask, bias=True, *, rng, dtype=np.float32, init=glorot_uniform
    ):
        super().__init__(in_features, out_features, bias, rng=rng, dtype=dtype, init=init)
        self.mask = self._checked(mask).copy()

    def forward(self, x, training=False, mask=None):
        self.expect(x, features=self.in_features)
        mask = self.mask if mask is None else self._checked(mask)
        masked = self.weight.value * mask                       # (D, M)
        out = x @ masked                                        # (N, M)
        if self.bias is not None:
            out += self.bias.value                              # (MASK.1)
        return out, (x, mask, masked)

    def backward(self, dout, cache, input_grad=True):
        x, mask, masked = cache
        self.expect_gradient(dout, (*x.shape[:-1], self.out_features), x.dtype)
        if self.trainable:
            self._add_weight_grad(x, dout, mask)                # (MASK.2)
            if self.bias is not None:
                self.bias.grad += dout.reshape(-1, self.out_features).sum(axis=0)
        return dout @ masked.T if input_grad else None          # (MASK.3)  (N, D)

    def _add_weight_grad(self, x, dout, mask):
        dweight = x.reshape(-1, self.in_features).T @ dout.reshape(-1, self.out_features)
        self.weight.grad += np.multiply(dweight, mask, out=dweight)

    def jvp(self, dx, cache):
        """Push a tangent forward: dout = dx·(M∘W)."""
        x, _, masked = cache
        self.expect_gradient(dx, x.shape, x.dtype)
        return dx @ masked

    def tangent_backward(self, dout, dx):
        self.expect(dx, features=self.in_features)
        self.expect_gradient(dout, (*dx.shape[:-1], self.out_features), dx.dtype)
        if self.trainable:                                      # (MASK.2), with the tangent for x
            self._add_weight_grad(dx, dout, self.mask)

    def _checked(self, mask):
        shape = (self.in_features, self.out_features)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            got = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"MaskedLinear expected a mask of bools, got {got}; compare: mask > 0")
        if mask.shape != shape:
            raise ValueError(f"MaskedLinear expected a mask of shape {shape}, got {mask.shape}")
        return mask

    def __repr__(self) -> str:
        return (
            f"MaskedLinear({self.in_features}, {self.out_features}, connections={int(self.mask.sum())}, "
            f"bias={self.bias is not None})"
        )
