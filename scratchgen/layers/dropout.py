"""Dropout: in training, a random part of the entries is set to zero."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array, as_generator, expect_count, expect_number
from scratchgen.layers.base import Layer


class DropoutCache(NamedTuple):
    """What Dropout.backward needs."""

    shape: tuple[int, ...]      # of x
    dtype: np.dtype             # of x
    mask: Array | None          # the factor of each entry (1 long on a shared axis); None: nothing dropped


class Dropout(Layer):
    """Inverted dropout: in training each entry is zero with probability p, otherwise divided by 1 − p.

    (DROP.1)  out = x·mask,  mask = [noise ≥ p] / (1 − p)       noise uniform on [0, 1), one number per entry
    (DROP.2)  dx  = dout·mask

    So the mean of out is x. In evaluation out is x itself. The layer keeps its own generator for the masks;
    `generators()` returns it, so that a run can be resumed. Raises ValueError for p outside [0, 1). Source:
    Srivastava et al. 2014, section 10 for the scaling.

    p : the probability that an entry is dropped
    shared_axis : an axis along which all entries have the same mask, or None. With 1, for x (N, T, C), a
        feature is dropped at all steps of a sequence or at none, which suits recurrent nets better (Gal &
        Ghahramani 2016, section 4)
    rng : a Generator or an integer seed
    """

    def __init__(self, p: float = 0.5, *, shared_axis: int | None = None, rng: np.random.Generator | int):
        expect_number("Dropout", "p", p, least=0, below=1)
        if shared_axis is not None:
            expect_count("Dropout", "shared_axis", shared_axis, least=0)
        self.p, self.shared_axis, self.rng = p, shared_axis, as_generator("Dropout", rng)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, DropoutCache]:
        self.expect(x)
        if not training or self.p == 0:
            return x, DropoutCache(x.shape, x.dtype, None)
        noise = self.rng.random(self._mask_shape(x), x.dtype.type)
        mask = (noise >= self.p) * x.dtype.type(1 / (1 - self.p))
        return x * mask, DropoutCache(x.shape, x.dtype, mask)   # (DROP.1)

    def backward(self, dout: Array, cache: DropoutCache, input_grad: bool = True) -> Any:
        shape, dtype, mask = cache
        self.expect_gradient(dout, shape, dtype)
        if not input_grad:
            return None
        return dout if mask is None else dout * mask            # (DROP.2)

    def jvp(self, dx: Array, cache: DropoutCache) -> Any:
        """Return J·dx. The Jacobian J is diagonal, so this is the same product as in backward."""
        return self.backward(dx, cache)

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        if self.shared_axis is None:
            return x.shape
        if x.ndim <= self.shared_axis:
            raise ValueError(
                f"Dropout expected an array with an axis {self.shared_axis}, got shape {x.shape}"
            )
        return tuple(1 if axis == self.shared_axis else size for axis, size in enumerate(x.shape))

    def __repr__(self) -> str:
        shared = "" if self.shared_axis is None else f", shared_axis={self.shared_axis}"
        return f"Dropout({self.p}{shared})"
