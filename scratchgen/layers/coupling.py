"""Invertible layers, the building blocks of normalizing flows.

    z, cache = f.forward(x)                             as for every layer
    cache.logdet                                        log |det dz/dx| in nats, one per example, (N,)
    dx = f.backward(dz, cache, dlogdet=dlogdet)         gradients of both outputs: z and the log-determinant
    x = f.inverse(z)                                    the exact inverse

The log-determinant is a second output. It is in the cache, so that a bijection follows the contract of
layers/base.py: it can be part of a Sequential and is checked like every layer. Without dlogdet, backward
returns the gradient of z alone. Derived in docs/flows.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, expect_number, positive
from scratchgen.layers.base import Layer, Parameter, float_dtype
from scratchgen.layers.masks import MASKS


class Bijection(Layer):
    """Base class of the invertible layers: z = f(x), x = f⁻¹(z), and log |det dz/dx| is known.

    The cache of every bijection is a NamedTuple with the field logdet, (N,).
    """

    def inverse(self, z: Array) -> Array:
        """Return the x for which forward returns z."""
        raise TypeError(f"{type(self).__name__} does not define inverse")

    def z_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one z, given the shape of one x. Only Squeeze changes the shape."""
        return shape

    def backward(self, dout: Array, cache: Any, input_grad: bool = True, dlogdet: Any = None) -> Any:
        """Add the gradients of ⟨z, dout⟩ + ⟨logdet, dlogdet⟩ to the parameters; return dx.

        dlogdet : (N,), or None if the loss does not depend on the log-determinant
        """
        raise TypeError(f"{type(self).__name__} does not define backward")

    def _expect_logdet_gradient(self, dlogdet: Any, n: int, dtype: np.dtype) -> None:
        if dlogdet is not None:
            self.expect_gradient(dlogdet, (n,), dtype)


class Coupling(Bijection):
    """Base class of the couplings. The conditioner, any layer, is applied to the entries the mask keeps."""

    def __init__(self, conditioner: Layer, mask: str):
        if not isinstance(conditioner, Layer):
            raise TypeError(f"{type(self).__name__} expected a layer as conditioner, got {conditioner!r}")
        if not isinstance(mask, str) or mask not in MASKS:
            who, known = type(self).__name__, ", ".join(MASKS)
            raise ValueError(f"{who} expected mask to be one of {known}, got {mask!r}")
        self.conditioner, self.mask = conditioner, mask

    def _split(self, x: Array) -> tuple[Array, Array]:
        return MASKS[self.mask].split(type(self).__name__, x)

    def _merge(self, kept: Array, moved: Array) -> Array:
        return MASKS[self.mask].merge(kept, moved)

    def _expect_output(self, h: Array, shape: tuple[int, ...]) -> None:
        if h.shape != shape:
            who = type(self).__name__
            raise ValueError(f"{who} expected its conditioner to return shape {shape}, got {h.shape}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.conditioner!r}, {self.mask!r})"


class AdditiveCouplingCache(NamedTuple):
    """What AdditiveCoupling.backward needs."""

    logdet: Array               # (N,): log |det dz/dx|, which is 0
    shape: tuple[int, ...]      # of x
    conditioner: Any            # the cache of the conditioner


class AdditiveCoupling(Coupling):
    """Shift one half by a function of the other half (Dinh et al. 2014, "NICE", equations 8 and 9).

    (NICE.1)  z₁ = x₁,  z₂ = x₂ + m(x₁)               x₁ kept, x₂ changed, m the conditioner
    (NICE.2)  x₁ = z₁,  x₂ = z₂ − m(z₁)               the inverse
    (NICE.3)  log |det dz/dx| = 0                     the map keeps volumes, for any m
    (NICE.4)  dx₂ = dz₂,  dx₁ = dz₁ + J_mᵀ·dz₂        dz₂ is the dout of m

    x, z (N, D), or images if the mask is for images. m returns the shape of x₂. With a checkerboard, x₁ and
    x₂ are full images with zeros.

    conditioner : m
    mask : which entries are kept: "even", "odd", "first", "second", "dark" or "light" (layers/masks.py)
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, AdditiveCouplingCache]:
        self.expect(x)
        kept, moved = self._split(x)
        shift, cond = self.conditioner.forward(kept, training)
        self._expect_output(shift, moved.shape)
        z = self._merge(kept, moved + shift)                    # (NICE.1)
        logdet = np.zeros(len(x), x.dtype)                      # (NICE.3)
        return z, AdditiveCouplingCache(logdet, x.shape, cond)

    def backward(
        self, dout: Array, cache: AdditiveCouplingCache, input_grad: bool = True, dlogdet: Array | None = None
    ) -> Any:
        logdet, shape, cond = cache
        self.expect_gradient(dout, shape, logdet.dtype)
        self._expect_logdet_gradient(dlogdet, len(dout), dout.dtype)
        dkept, dmoved = self._split(dout)
        if not input_grad:
            return self.conditioner.backward(dmoved, cond, input_grad=False)
        dkept = dkept + self.conditioner.backward(dmoved, cond)  # (NICE.4)
        return self._merge(dkept, dmoved)

    def inverse(self, z: Array) -> Array:
        self.expect(z)
        kept, moved = self._split(z)
        shift, _ = self.conditioner.forward(kept)
        self._expect_output(shift, moved.shape)
        return self._merge(kept, moved - shift)                 # (NICE.2)


class AffineCouplingCache(NamedTuple):
    """What AffineCoupling.backward needs. moved, log_scale and scale have the shape of x₂."""

    logdet: Array               # (N,): log |det dz/dx|
    moved: Array                # x₂
    log_scale: Array            # s
    scale: Array                # exp(s)
    conditioner: Any            # the cache of the conditioner
    shape: tuple[int, ...]      # of x


class AffineCoupling(Coupling):
    """Scale and shift one half by functions of the other (Dinh et al. 2017, "Real NVP", equation 4).

    (RNVP.1)  s = bound·tanh(r / bound),  (t, r) = m(x₁)      the log-scale, within ±bound
    (RNVP.2)  z₁ = x₁,  z₂ = x₂·exp(s) + t
    (RNVP.3)  x₁ = z₁,  x₂ = (z₂ − t)·exp(−s)                 the inverse
    (RNVP.4)  log |det dz/dx| = Σ s
    (RNVP.5)  ds = dz₂·x₂·exp(s) + dlogdet,  dt = dz₂
    (RNVP.6)  dr = ds·(1 − (s / bound)²)
    (RNVP.7)  dx₂ = dz₂·exp(s),  dx₁ = dz₁ + J_mᵀ·(dt, dr)

    m returns t and r, concatenated on the last axis, which is twice as wide as that of x₂. The scale exp(s)
    is at most exp(bound).

    conditioner : m
    mask : which entries are kept (layers/masks.py)
    bound : the largest |s|
    """

    def __init__(self, conditioner: Layer, mask: str, bound: float = 2.0):
        super().__init__(conditioner, mask)
        expect_number("AffineCoupling", "bound", bound, above=0)
        self.bound = float(bound)

    def _shift_and_log_scale(
        self, kept: Array, moved: Array, training: bool = False
    ) -> tuple[Array, Array, Any]:
        h, cond = self.conditioner.forward(kept, training)
        self._expect_output(h, (*moved.shape[:-1], 2 * moved.shape[-1]))
        shift, raw = np.split(h, 2, axis=-1)
        log_scale = self.bound * np.tanh(raw / self.bound)      # (RNVP.1)
        return shift, MASKS[self.mask].of_moved(log_scale), cond

    def forward(self, x: Array, training: bool = False) -> tuple[Array, AffineCouplingCache]:
        self.expect(x)
        kept, moved = self._split(x)
        shift, log_scale, cond = self._shift_and_log_scale(kept, moved, training)
        scale = np.exp(log_scale)
        z = self._merge(kept, moved * scale + shift)            # (RNVP.2)
        logdet = log_scale.reshape(len(x), -1).sum(axis=1)      # (RNVP.4)
        return z, AffineCouplingCache(logdet, moved, log_scale, scale, cond, x.shape)

    def backward(
        self, dout: Array, cache: AffineCouplingCache, input_grad: bool = True, dlogdet: Array | None = None
    ) -> Any:
        _, moved, log_scale, scale, cond, shape = cache
        self.expect_gradient(dout, shape, moved.dtype)
        self._expect_logdet_gradient(dlogdet, len(dout), dout.dtype)
        dkept, dmoved = self._split(dout)
        dlog_scale = dmoved * moved * scale                     # (RNVP.5)
        if dlogdet is not None:
            dlog_scale = dlog_scale + dlogdet.reshape(-1, *[1] * (moved.ndim - 1))
        dr = MASKS[self.mask].of_moved(dlog_scale) * (1 - (log_scale / self.bound) ** 2)  # (RNVP.6)
        dh = np.concatenate([dmoved, dr], axis=-1)
        if not input_grad:
            return self.conditioner.backward(dh, cond, input_grad=False)
        dkept = dkept + self.conditioner.backward(dh, cond)     # (RNVP.7)
        return self._merge(dkept, dmoved * scale)

    def inverse(self, z: Array) -> Array:
        self.expect(z)
        kept, moved = self._split(z)
        shift, log_scale, _ = self._shift_and_log_scale(kept, moved)
        return self._merge(kept, (moved - shift) * np.exp(-log_scale))  # (RNVP.3)

    def __repr__(self) -> str:
        return f"AffineCoupling({self.conditioner!r}, {self.mask!r}, bound={self.bound})"


class ScalingCache(NamedTuple):
    """What Scaling.backward needs."""

    logdet: Array       # (N,): log |det dz/dx|
    z: Array            # the output
    scale: Array        # exp(s), the shape of one example


class Scaling(Bijection):
    """Scale every feature by its own factor (Dinh et al. 2014, section 3.3).

    (SCALE.1)  z = x·exp(s)                           s learnt, of the shape of one example
    (SCALE.2)  x = z·exp(−s)                          the inverse
    (SCALE.3)  log |det dz/dx| = Σ_d s_d
    (SCALE.4)  ds = Σₙ [dz·z + dlogdet]
    (SCALE.5)  dx = dz·exp(s)

    Additive couplings keep volumes, so this is the only layer of NICE that changes the density.

    shape : the shape of one example, ``Scaling(784)`` or ``Scaling(28, 28, 1)``; s starts at 0
    """

    def __init__(self, *shape: int, dtype: DTypeLike = np.float32):
        positive("Scaling", **{f"axis_{i + 1}": size for i, size in enumerate(shape)})
        if not shape:
            raise ValueError("Scaling expected the shape of one example, got none")
        self.log_scale = Parameter(np.zeros(shape, float_dtype("Scaling", dtype)))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, ScalingCache]:
        self._expect_shape(x)
        scale = np.exp(self.log_scale.value)
        z = x * scale                                           # (SCALE.1)
        logdet = np.full(len(x), self.log_scale.value.sum())    # (SCALE.3)
        return z, ScalingCache(logdet, z, scale)

    def backward(
        self, dout: Array, cache: ScalingCache, input_grad: bool = True, dlogdet: Array | None = None
    ) -> Any:
        _, z, scale = cache
        self.expect_gradient(dout, z.shape, z.dtype)
        self._expect_logdet_gradient(dlogdet, len(z), z.dtype)
        if self.trainable:
            self.log_scale.grad += (dout * z).sum(axis=0)       # (SCALE.4)
            if dlogdet is not None:
                self.log_scale.grad += dlogdet.sum()            # (SCALE.4)
        return dout * scale if input_grad else None             # (SCALE.5)

    def inverse(self, z: Array) -> Array:
        self._expect_shape(z)
        return z * np.exp(-self.log_scale.value)                # (SCALE.2)

    def _expect_shape(self, x: Array) -> None:
        self.expect(x)
        if x.shape[1:] != self.log_scale.shape:
            wanted = ", ".join(map(str, self.log_scale.shape))
            raise ValueError(f"Scaling expected input of shape (N, {wanted}), got {x.shape}")

    def __repr__(self) -> str:
        return f"Scaling({', '.join(map(str, self.log_scale.shape))})"


class SqueezeCache(NamedTuple):
    """What Squeeze.backward needs."""

    logdet: Array               # (N,): log |det dz/dx|, which is 0
    shape: tuple[int, ...]      # of z


class Squeeze(Bijection):
    """Turn every 2×2 block of pixels into one pixel with 4C channels (Dinh et al. 2017, section 3.6).

    (SQZ.1)  z[n, i, j, (u, v, c)] = x[n, 2i + u, 2j + v, c],  u, v = 0 or 1;  log |det dz/dx| = 0

    So a mask over channels separates neighbouring pixels. x (N, H, W, C), z (N, H/2, W/2, 4C).
    Raises ValueError for odd H or W.
    """

    def z_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        height, width, channels = shape
        return height // 2, width // 2, 4 * channels

    def forward(self, x: Array, training: bool = False) -> tuple[Array, SqueezeCache]:
        self.expect(x, ndim=4)
        n, height, width, channels = x.shape
        if height % 2 or width % 2:
            raise ValueError(f"Squeeze expected images with even height and width, got {x.shape}")
        blocks = x.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
        z = blocks.reshape(n, *self.z_shape(x.shape[1:]))       # (SQZ.1)
        return z, SqueezeCache(np.zeros(n, x.dtype), z.shape)

    def backward(
        self, dout: Array, cache: SqueezeCache, input_grad: bool = True, dlogdet: Array | None = None
    ) -> Any:
        self.expect_gradient(dout, cache.shape, cache.logdet.dtype)
        self._expect_logdet_gradient(dlogdet, len(dout), dout.dtype)
        return self.inverse(dout) if input_grad else None       # a permutation: its transpose is its inverse

    def inverse(self, z: Array) -> Array:
        self.expect(z, ndim=4)
        n, height, width, channels = z.shape
        if channels % 4:
            raise ValueError(f"Squeeze.inverse expected a multiple of four channels, got shape {z.shape}")
        blocks = z.reshape(n, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
        return blocks.reshape(n, 2 * height, 2 * width, channels // 4)
