"""Numeric derivatives, and what counts as agreement with one.

A function f of many numbers is followed along a line, t -> f(θ + t·v); f is a sum, and `along(t)` returns its
summands, so that those which do not move cancel exactly.

(GRAD.1)  D(h) = (f(θ + h·v) − f(θ − h·v)) / 2h        central difference along v; it is off by h²/6·f‴
(GRAD.2)  R(h) = (4·D(h) − D(2h)) / 3                  Richardson: h² cancels, what is left goes with h⁴

The step. Truncation falls with h⁴, rounding grows as ε·|f|/h: they meet near h = ε^(1/5), about 7e-4, and
leave errors near 1e-12. So the first step is 2⁻¹¹ (times |θ| where that is above 1). Where it does not
confirm the claim, smaller ones are tried: a kink within ±2h, or a sharp bend, spoils a large step and not a
small one. Two steps that agree with each other and not with the claim end the search.

The error of one entry is |numeric − claimed| / max(|numeric|, |claimed|, floor). It is relative to the entry
itself, down to a floor of a thousandth of the array's largest gradient, and not below rounding's share,
noise / tolerance, noise = 8·ε·‖out·u‖ / h: a gradient that is zero (a bias before batch norm) is not divided
by zero, and a claimed zero where there is slope has error 1.

A kink (ReLU at 0, two equal entries of a maximum) has two slopes. An entry is called one only where the
slopes from the left and the right differ, stay as they are when the step is halved, and the claim is one
of them or lies between. Anything else that is not confirmed fails.

Derived in docs/gradcheck.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

EPS = float(np.finfo(np.float64).eps)
STEPS = (2.0**-11, 2.0**-14, 2.0**-17, 2.0**-20)
EXACT = 1e-12       # the tolerance where no difference is taken

Along = Callable[[float], np.ndarray]


@dataclass(frozen=True)
class Result:
    """What came out for one array.

    what, shape : the array ("input", "0.weight") and its shape
    error : the worst relative error of its entries, kinks left out
    step : the step that gave it; 0 where no difference was taken
    verdict : "ok"; "kink" when all is well but for entries at a kink; "FAIL"
    tolerance : the error that is still "ok"
    """

    what: str
    shape: tuple[int, ...]
    error: float
    step: float
    verdict: str
    tolerance: float

    @property
    def ok(self) -> bool:
        return self.verdict != "FAIL"


def line(moves: Iterable[tuple[np.ndarray, np.ndarray]], terms: Callable[[], np.ndarray]) -> Along:
    """t -> the summands of f where each array is moved by t·v; the arrays are put back after each call."""
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
    """The summands are subtracted before they are summed, so what does not move cancels exactly."""
    return float((along(h) - along(-h)).sum()) / (2 * h)  # (GRAD.1)


def richardson(along: Along, h: float) -> float:
    """Two central differences, combined so that their h² cancels."""
    return (4 * central(along, h) - central(along, 2 * h)) / 3  # (GRAD.2)


def compare(
    along: Along, claimed: float, largest: float, size: float, tolerance: float, unit: float
) -> tuple[float, float, str]:
    """Error, step and verdict for one claimed slope; see the top of this file.

    largest : the largest slope claimed for the array
    size : ‖out·u‖, to which rounding is proportional
    unit : what the steps are multiplied by
    """
    best, best_step, previous = math.inf, STEPS[0] * unit, math.inf
    for step in STEPS:
        h = step * unit
        numeric = richardson(along, h)
        noise = 8 * EPS * size / h
        scale = max(abs(numeric), abs(claimed), 1e-3 * largest, noise / tolerance, 1e-300)
        error = abs(numeric - claimed) / scale
        if error < best:
            best, best_step = error, h
        if error <= tolerance:
            return error, h, "ok"
        if abs(numeric - previous) <= tolerance * scale:
            break
        previous = numeric
    h = STEPS[-1] * unit
    slack = tolerance * max(abs(claimed), 1e-3 * largest) + 8 * EPS * size / h
    return best, best_step, "kink" if _at_kink(along, claimed, h, slack) else "FAIL"


def _at_kink(along: Along, claimed: float, h: float, slack: float) -> bool:
    """Whether the slopes on both sides differ, and the claim fits them."""
    middle = along(0.0)
    sides = []
    for sign in (1, -1):
        coarse, fine = (sign * float((along(sign * s) - middle).sum()) / s for s in (2 * h, h))
        sides.append((coarse, fine))
    jump = abs(sides[0][0] - sides[1][0])
    if not jump > slack:
        return False
    # On a smooth curve coarse and fine differ by a quarter of the jump, so neither side counts as steady.
    steady = [2 * fine - coarse for coarse, fine in sides if abs(coarse - fine) <= jump / 10]
    if len(steady) == 2:
        return min(steady) - slack <= claimed <= max(steady) + slack
    return any(abs(claimed - slope) <= slack for slope in steady)


def summary(
    what: str, shape: tuple[int, ...], entries: list[tuple[float, float, str]], tolerance: float
) -> Result:
    """One line for all entries of an array: the worst error, and the verdict."""
    verdicts = [verdict for _, _, verdict in entries]
    verdict = next((v for v in ("FAIL", "kink") if v in verdicts), "ok")
    measured = [(error, step) for error, step, v in entries if v != "kink"]
    error, step = max(measured, default=(0.0, 0.0))
    return Result(what, shape, error, step, verdict, tolerance)


def exact_result(what: str, shape: tuple[int, ...], difference: float, size: float) -> Result:
    """A result without differences: the two sides may differ by rounding only."""
    error = difference / size if size > 0 else (0.0 if difference == 0 else math.inf)
    error = error if math.isfinite(error) else math.inf
    return Result(what, shape, error, 0.0, "ok" if error <= EXACT else "FAIL", EXACT)
