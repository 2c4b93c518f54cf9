"""The gradient of any function, by differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from scratchgen.checks import describe, expect_float, expect_function
from scratchgen.gradcheck.differences import STEPS, line, richardson


def numeric_gradient(f: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """The gradient of f at x by differences, entry by entry: R(h) of (GRAD.2).

    f : a function of an array like x that returns one number
    x : an array of float64, of any shape

    The first step is 2⁻¹¹, times |x| if that is above 1. Smaller steps follow until two of them agree to ten
    digits; of all steps, those two are used whose results are closest to each other. For a smooth f whose
    values and derivatives are near 1, the error is about 1e-12. At a kink, such as |x| at 0, the result is
    the mean of both slopes. f is called at least eight times for each entry.

    Raises TypeError if f does not return a number, or if x is not float64.
    """
    expect_function("numeric_gradient", "f", f)
    expect_float("numeric_gradient (its x)", x)
    if x.dtype != np.float64:
        raise TypeError(f"numeric_gradient expected x in float64, got {x.dtype}: rounding would dominate")
    x = x.copy()
    gradient = np.zeros_like(x)

    def terms() -> np.ndarray:
        value = f(x.copy())
        if np.shape(value) != () or np.asarray(value).dtype.kind not in "iuf":
            raise TypeError(f"numeric_gradient expected f to return a number, got {describe(value)}")
        return np.array([float(value)])

    for index in np.ndindex(x.shape):
        entry = x[tuple(slice(i, i + 1) for i in index)] if index else x
        along = line([(entry, np.ones_like(entry))], terms)
        unit = max(1.0, abs(float(x[index])))
        best, gap, previous = math.nan, math.inf, math.nan
        for step in STEPS:
            slope = richardson(along, step * unit)
            if abs(slope - previous) < gap:
                best, gap = previous, abs(slope - previous)
            if gap <= 1e-10 * abs(slope):
                break
            previous = slope
        gradient[index] = best
    return gradient
