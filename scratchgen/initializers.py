"""Initial weights: He, Glorot, normal, orthogonal.

A network trains if signals neither vanish nor explode on their way through it. Each rule here chooses the
spread of the weights so that a variance or a norm stays the same from layer to layer. `fan_in` is the number
of inputs that one output sums over, `fan_out` the number of outputs that one input contributes to: (D, M) for
a dense weight (D, M), and KH·KW·C_in, KH·KW·C_out for a convolution weight (KH, KW, C_in, C_out).

Every rule is called as (shape, fan_in, fan_out, *, rng, dtype), even if it does not use the fans, so that
each can be the `init` of a layer. For another std or gain, use ``functools.partial(orthogonal, gain=2.0)``.
rng is a Generator or an integer seed.

Numbers are drawn in float64 and then cast, so the float32 and float64 versions of a network start from the
same weights. All rules raise ValueError for a fan below 1 and TypeError for a fan that is not an integer.
Derived in docs/optimisation.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, expect_count, expect_number, float_dtype

Shape = int | tuple[int, ...]


def he_normal(
    shape: Shape,
    fan_in: int,
    fan_out: int = 1,
    *,
    rng: np.random.Generator | int,
    dtype: DTypeLike = np.float32,
) -> Array:
    """Draw N(0, std²) weights that keep the second moment through a ReLU.

    (INIT.1)  std = √(2 / fan_in)

    ReLU halves the second moment of a symmetric input; the factor 2 compensates for it. fan_out is not used.
    Source: He et al. 2015, "Delving Deep into Rectifiers", equation 10.
    """
    _expect_fans("he_normal", fan_in, fan_out)
    shape, dtype = _as_shape("he_normal", shape), float_dtype("he_normal", dtype)
    rng = as_generator("he_normal", rng)
    return normal(shape, std=math.sqrt(2.0 / fan_in), rng=rng, dtype=dtype)                 # (INIT.1)


def glorot_uniform(
    shape: Shape, fan_in: int, fan_out: int, *, rng: np.random.Generator | int, dtype: DTypeLike = np.float32
) -> Array:
    """Draw U(-a, a) weights. Their variance is a compromise between the forward and the backward pass.

    (INIT.2)  Var[w] = 2 / (fan_in + fan_out),  and a uniform on [-a, a] has variance a²/3:  a = √(3·Var[w])

    The forward pass keeps the variance if Var[w] = 1/fan_in, and the backward pass if Var[w] = 1/fan_out.
    (INIT.2) uses the mean of both fans.
    Source: Glorot & Bengio 2010, equations 12 and 16.
    """
    _expect_fans("glorot_uniform", fan_in, fan_out)
    limit = math.sqrt(3.0 * 2.0 / (fan_in + fan_out))                                       # (INIT.2)
    shape, dtype = _as_shape("glorot_uniform", shape), float_dtype("glorot_uniform", dtype)
    rng = as_generator("glorot_uniform", rng)
    return rng.uniform(-limit, limit, size=shape).astype(dtype)


def glorot_normal(
    shape: Shape, fan_in: int, fan_out: int, *, rng: np.random.Generator | int, dtype: DTypeLike = np.float32
) -> Array:
    """Draw N(0, std²) weights with the variance of (INIT.2), std = √(2 / (fan_in + fan_out)).

    Source: Glorot & Bengio 2010, equation 12.
    """
    _expect_fans("glorot_normal", fan_in, fan_out)
    shape, dtype = _as_shape("glorot_normal", shape), float_dtype("glorot_normal", dtype)
    rng = as_generator("glorot_normal", rng)
    std = math.sqrt(2.0 / (fan_in + fan_out))                                               # (INIT.2)
    return normal(shape, std=std, rng=rng, dtype=dtype)


def normal(
    shape: Shape,
    fan_in: int = 1,
    fan_out: int = 1,
    *,
    std: float = 0.02,
    rng: np.random.Generator | int,
    dtype: DTypeLike = np.float32,
) -> Array:
    """Draw N(0, std²) weights; the fans are not used.

    std : the standard deviation; the default is that of DCGAN (Radford, Metz & Chintala 2016, section 4)

    Raises ValueError for a std that is negative or not finite.
    """
    _expect_fans("normal", fan_in, fan_out)
    expect_number("normal", "std", std, least=0)
    shape, dtype = _as_shape("normal", shape), float_dtype("normal", dtype)
    return (std * as_generator("normal", rng).standard_normal(shape)).astype(dtype)


def orthogonal(
    shape: tuple[int, ...],
    fan_in: int = 1,
    fan_out: int = 1,
    *,
    gain: float = 1.0,
    rng: np.random.Generator | int,
    dtype: DTypeLike = np.float32,
) -> Array:
    """Draw a matrix with orthogonal columns (orthogonal rows if it has more columns than rows), times gain.

    (INIT.3)  Wᵀ·W = gain²·I      W (D, M), D ≥ M;  for D < M it is W·Wᵀ = gain²·I

    A square W keeps every norm and every angle, not only the variance on average. A shape of more than two
    axes is treated as (product of the leading axes, last axis); the fans are not used. W is the Q of the QR
    decomposition of a Gaussian matrix; multiplying its columns by the signs of R's diagonal makes W uniform
    over the orthogonal matrices. Source: Saxe, McClelland & Ganguli 2014; the signs: Mezzadri 2007, section
    5. Raises ValueError for a shape of fewer than two axes or with an empty axis.
    """
    _expect_fans("orthogonal", fan_in, fan_out)
    expect_number("orthogonal", "gain", gain)
    dtype = float_dtype("orthogonal", dtype)
    if not isinstance(shape, tuple) or len(shape) < 2 or min(_as_sizes("orthogonal", shape, 0)) < 1:
        raise ValueError(f"orthogonal expected a shape of two or more non-empty axes, got {shape!r}")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    gaussian = as_generator("orthogonal", rng).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(gaussian)                               # q (long, short): orthonormal columns
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    w = q if rows >= columns else q.T
    return np.ascontiguousarray((gain * w).reshape(shape), dtype=dtype)                     # (INIT.3)


def _expect_fans(who: str, fan_in: int, fan_out: int) -> None:
    fans = fan_in, fan_out
    if any(isinstance(fan, bool) or not isinstance(fan, int | np.integer) for fan in fans):
        got = ", ".join(map(repr, fans))
        raise TypeError(f"{who} expected fan_in and fan_out to be ints, got {got}")
    if min(fans) < 1:
        raise ValueError(f"{who} expected fan_in and fan_out of at least 1, got {', '.join(map(str, fans))}")


def _as_shape(who: str, shape: Any) -> Shape:
    """Return a shape, an int or a tuple of ints of at least 1. Raises TypeError and ValueError for others."""
    if isinstance(shape, tuple):
        if not shape:
            raise ValueError(f"{who} expected a shape of one or more axes, got ()")
        return _as_sizes(who, shape)
    return expect_count(who, "shape", shape)


def _as_sizes(who: str, shape: tuple[Any, ...], least: int = 1) -> tuple[int, ...]:
    return tuple(expect_count(who, "every axis of shape", size, least) for size in shape)
