"""Numeric derivatives, and the test whether a claimed derivative agrees with one.

A function f of many numbers is evaluated along a line, t -> f(θ + t·v). f is a sum, and `along(t)` returns
its terms, so that terms that do not change cancel exactly.

(GRAD.1)  D(h) = (f(θ + h·v) − f(θ − h·v)) / 2h        central difference along v; its error is h²/6·f‴
(GRAD.2)  R(h) = (4·D(h) − D(2h)) / 3                  Richardson: h² cancels, the error is of order h⁴

The truncation error is proportional to h⁴, the rounding error to ε·|f|/h. They are equal near
h = ε^(1/5), about 7e-4, where both are about 1e-12. So the first step is 2⁻¹¹ (times |θ| if that is above 1).
If it does not agree with the claim, smaller steps are tried, because a kink within ±2h or a sharp bend
affects a large step but not a small one. The search ends when two steps agree with each other but not with
the claim.

The error of an entry is |numeric − claimed| / max(|numeric|, |claimed|, floor). It is relative to the entry
itself, with a floor of a thousandth of the array's largest gradient, and at least noise / tolerance with
noise = 8·ε·‖out·u‖ / h, the rounding error. So a gradient that is zero (a bias before batch norm) causes no
division by zero, and a claimed zero for a nonzero slope has error 1.

At a kink (ReLU at 0, two equal entries of a maximum) there are two slopes. An entry is reported as a kink
only if the slopes from the left and the right differ, do not change when the step is halved, and the claim is
one of them or between them. All other disagreements are failures.

Derived in docs/gradcheck.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from scratchgen.gradcheck.explain import Explanation

EPS = float(np.finfo(np.float64).eps)
STEPS = (2.0**-11, 2.0**-14, 2.0**-17, 2.0**-20)
EXACT = 1e-12       # the tolerance of results without differences

Along = Callable[[float], np.ndarray]


@dataclass(frozen=True)
class Result:
    """The result for one array.

    what, shape : the array ("input", "0.weight") and its shape
    error : the largest relative error of its entries, without those at a kink
    step : the step of that error; 0 if no difference was taken
    verdict : "ok", "kink" or "FAIL"; "kink" means that all entries are right except those at a kink
    tolerance : the largest error that is "ok"
    explanation : for a failure, where it is and what kind of mistake it looks like
    errors : the relative error of each entry; None if the entries were not compared one by one

    str() gives all of this as text.
    """

    what: str
    shape: tuple[int, ...]
    error: float
    step: float
    verdict: str
    tolerance: float
    explanation: Explanation | None = field(default=None, compare=False, repr=False)
    errors: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the check passed."""
        return self.verdict != "FAIL"

    def __str__(self) -> str:
        head = f"{self.what} {self.shape}: {self.verdict}, largest error {self.error:.1e}"
        return f"{head}\n{self.explanation}" if self.explanation else head


class Entry(NamedTuple):
    """The comparison of one claimed slope with differences: the fields of Result, and the numeric slope."""

    error: float
    step: float
    verdict: str
    numeric: float


def line(moves: Iterable[tuple[np.ndarray, np.ndarray]], terms: Callable[[], np.ndarray]) -> Along:
    """Return the function t -> terms of f after each array is moved by t·v; each call restores the arrays."""
    moves = list(moves)

    def along(t: float) -> np.ndarray:
        before = [array.copy() for array, _ in moves]
        for array, v in moves:
            array += t * v
        try:
            return terms()
        finally:
            for (array, _), old in zip(moves, before, strict=True):
                array[...] = old

    return along


def central(along: Along, h: float) -> float:
    """The central difference (GRAD.1). It is taken term by term, so that unchanged terms cancel exactly."""
    return float((along(h) - along(-h)).sum()) / (2 * h)  # (GRAD.1)


def richardson(along: Along, h: float) -> float:
    """Two central differences, combined so that their errors of order h² cancel (GRAD.2)."""
    return (4 * central(along, h) - central(along, 2 * h)) / 3  # (GRAD.2)


def compare(
    along: Along, claimed: float, largest: float, size: float, tolerance: float, unit: float
) -> Entry:
    """Compare one claimed slope with differences, as described at the top of this file.

    largest : the largest claimed slope of the array
    size : ‖out·u‖, to which the rounding error is proportional
    unit : factor of the steps
    """
    best, best_step, previous, numeric = math.inf, STEPS[0] * unit, math.inf, math.nan
    for step in STEPS:
        h = step * unit
        numeric = richardson(along, h)
        noise = 8 * EPS * size / h
        scale = max(abs(numeric), abs(claimed), 1e-3 * largest, noise / tolerance, 1e-300)
        error = abs(numeric - claimed) / scale
        if error < best:
            best, best_step = error, h
        if error <= tolerance:
            return Entry(error, h, "ok", numeric)
        if abs(numeric - previous) <= tolerance * scale:
            break
        previous = numeric
    h = STEPS[-1] * unit
    slack = tolerance * max(abs(claimed), 1e-3 * largest) + 8 * EPS * size / h
    verdict = "kink" if _at_kink(along, claimed, h, slack) else "FAIL"
    return Entry(best, best_step, verdict, numeric)


def _at_kink(along: Along, claimed: float, h: float, slack: float) -> bool:
    """Whether the slopes on both sides differ and the claim is consistent with them."""
    middle = along(0.0)
    sides = []
    for sign in (1, -1):
        coarse, fine = (sign * float((along(sign * s) - middle).sum()) / s for s in (2 * h, h))
        sides.append((coarse, fine))
    jump = abs(sides[0][0] - sides[1][0])
    if not jump > slack:
        return False
    # On a smooth curve, coarse and fine differ by a quarter of the jump, so no side counts as steady.
    steady = [2 * fine - coarse for coarse, fine in sides if abs(coarse - fine) <= jump / 10]
    if len(steady) == 2:
        return min(steady) - slack <= claimed <= max(steady) + slack
    return any(abs(claimed - slope) <= slack for slope in steady)


def summary(what: str, shape: tuple[int, ...], entries: list[Entry], tolerance: float) -> Result:
    """The result for all entries of an array: the largest error, and the verdict."""
    verdicts = [entry.verdict for entry in entries]
    verdict = next((v for v in ("FAIL", "kink") if v in verdicts), "ok")
    measured = [(entry.error, entry.step) for entry in entries if entry.verdict != "kink"]
    error, step = max(measured, default=(0.0, 0.0))
    return Result(what, shape, error, step, verdict, tolerance)


def exact_result(what: str, shape: tuple[int, ...], difference: float, size: float) -> Result:
    """The result of a comparison that needs no differences: the two sides may differ only by rounding."""
    error = difference / size if size > 0 else (0.0 if difference == 0 else math.inf)
    error = error if math.isfinite(error) else math.inf
    return Result(what, shape, error, 0.0, "ok" if error <= EXACT else "FAIL", EXACT)
