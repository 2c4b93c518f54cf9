"""Arithmetic with 60 decimal digits and an unlimited exponent, on NumPy arrays of mpmath numbers."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

DIGITS = 60
context = mpmath.MPContext()
context.dps = DIGITS
number = context.mpf
FAR = number(10) ** 6  # e^(−10⁶) is below 1e-434294, far smaller than every float


def exact(a: Any) -> Any:
    """The numbers of an array (or one number) as an array of 60-digit numbers, without rounding."""
    a = np.asarray(a)
    out = np.empty(a.shape, object)
    out.ravel()[:] = [number(float(v)) for v in a.ravel()]
    return out


def _each(function: Any) -> Any:
    ufunc = np.frompyfunc(function, 1, 1)
    return lambda a: ufunc(np.asarray(a, object))


def _exp(v: Any) -> Any:
    return context.exp(min(max(v, -FAR), FAR))


def _log1p_exp(v: Any) -> Any:
    """log(1 + eᵛ)."""
    return max(v, number(0)) + context.log1p(_exp(-abs(v)))


def _tanh(v: Any) -> Any:
    return context.tanh(min(max(v, -FAR), FAR))


exp = _each(_exp)
expm1 = _each(lambda v: context.expm1(min(max(v, -FAR), FAR)))
log = _each(lambda v: context.log(v) if v else context.ninf)
log1p = _each(context.log1p)
sqrt = _each(context.sqrt)
tanh = _each(_tanh)
softplus = _each(_log1p_exp)
sigmoid = _each(lambda v: _exp(-_log1p_exp(-v)))
floor = _each(lambda v: context.floor(v))
absolute = _each(abs)


def log_sum_exp(a: Any) -> Any:
    """log Σ eᵃ over the last axis. For one large term, the others are kept: log Σ = max + log(1 + rest)."""
    rows = a.reshape(-1, a.shape[-1])
    out = np.empty(len(rows), object)
    for i, row in enumerate(rows):
        top = max(range(len(row)), key=row.__getitem__)
        if context.isinf(row[top]):
            out[i] = row[top]
            continue
        rest = sum((_exp(v - row[top]) for k, v in enumerate(row) if k != top), number(0))
        out[i] = row[top] + context.log1p(rest)
    return out.reshape(a.shape[:-1])


def log_softmax(a: Any) -> Any:
    """log softmax over the last axis. The logarithm of a probability near 1 keeps its digits."""
    rows = a.reshape(-1, a.shape[-1])
    out = np.empty(rows.shape, object)
    for i, row in enumerate(rows):
        for k, v in enumerate(row):
            rest = np.array([u - v if u != v else number(0) for j, u in enumerate(row) if j != k], object)
            out[i, k] = -_log1p_sum(rest) if not context.isinf(v) else v
    return out.reshape(a.shape)


def _log1p_sum(differences: Any) -> Any:
    """log(1 + Σ e^d)."""
    if not len(differences):
        return number(0)
    top = max(differences)
    if top <= 0:
        return context.log1p(sum((_exp(d) for d in differences), number(0)))
    return log_sum_exp(np.append(differences, number(0)))[()]
