"""The Normal distribution function and intervals of it, in logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen import distributions
from sweep.inputs import combined, numbers
from sweep.measure import Entry, True_
from sweep.oracle import absolute, context, exact, number

LOG_2PI = context.log(2 * context.pi)


def phi(x: Any) -> Any:
    """Φ(x) of a number."""
    return context.erfc(-x / context.sqrt(2)) / 2


def log_phi(x: Any) -> Any:
    """log Φ(x) of a number."""
    if x > 0:
        return context.log1p(-phi(-min(x, number(10) ** 6)))
    if x > -number(10) ** 4:
        return context.log(phi(x))
    return -(x**2) / 2 - context.log(-x) - LOG_2PI / 2 - 1 / x**2       # the next term is below 1e-15 / x²


def normal_log_cdf(x: Any) -> True_:
    value = np.frompyfunc(log_phi, 1, 1)(exact(x))
    rough = np.where(x > 0, 1 + np.minimum(exact(x), number(10) ** 100) ** 2, number(1))
    return True_(value, absolute(value) * rough)


WIDTHS = (1e-6, 1e-3, 0.05, 1, 3, 50)


def interval_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    """Intervals in the middle and in both tails, and those with an infinite end."""
    start = np.array([0, 1e-3, 0.3, 1, 2, 5, 9, 20, 29, 34.9, 35.1, 60, 300, 1e4], np.float64)
    low, width = combined(np.concatenate([start, -start]), np.array(WIDTHS))
    low, high = low.astype(dtype), (low + width * np.maximum(1, abs(low) / 4)).astype(dtype)
    ends = numbers(dtype)
    ends = ends[ends < 37]
    everything, wide = np.full_like(ends, np.inf), high > low
    return [(low[wide], high[wide]), (-everything, ends), (-ends, everything)]


def interval(low: Any, high: Any) -> True_:
    values, sizes = [], []
    for a, b in zip(low, high, strict=True):
        a, b = number(float(a)), number(float(b))
        a, b = (-b, -a) if a > 0 else (a, b)
        log_a = context.ninf if context.isinf(a) else log_phi(a)
        log_b = number(0) if context.isinf(b) else log_phi(b)
        ratio = number(0) if context.isinf(a) else context.exp(max(log_a - log_b, -number(10) ** 6))
        rest = context.log1p(-ratio)
        values.append(log_b + rest)
        change = 0 if context.isinf(a) else (abs(log_a) + abs(log_b)) * ratio / (1 - ratio)
        sizes.append(1 + abs(log_b) + abs(rest) + change)
    return True_(np.array(values, object), np.array(sizes, object))


ENTRIES = [
    Entry(
        "distributions.normal_log_cdf",
        distributions.normal_log_cdf,
        lambda dtype, rng: [(numbers(dtype),)],
        normal_log_cdf,
        double=True,
    ),
    Entry(
        "distributions.normal_log_interval",
        distributions.normal_log_interval,
        interval_cases,
        interval,
        twin=True,
    ),
]
