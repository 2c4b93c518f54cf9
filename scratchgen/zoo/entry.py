"""One entry of the bug zoo: a wrong piece of code beside the right one, its symptom and the check that fails.

The right code and the wrong code are classes of short functions. The wrong class inherits from the right one
and changes one function, so that the difference between the two is the mistake.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from scratchgen.gradcheck import SMOOTH

GRADIENT = "gradient check"
LARGE, SMALL = 1e6, 1e-6        # numbers beyond these are shown as "diverges" and as 0


class Outcome(NamedTuple):
    """What a run of a few tenths of a second shows.

    number : the number that the entry's `measure` names
    curve : what the entry's `y_label` names, over the training or over `x`; None if there is a sample
    sample : generated numbers, (N,) or (N, 2); None if there is a curve
    x : the places of the curve; None for steps 1, 2, ...
    """

    number: float
    curve: np.ndarray | None = None
    sample: np.ndarray | None = None
    x: np.ndarray | None = None


class Entry:
    """A wrong piece of code that runs.

    title : the mistake in one line
    symptom : what a user sees
    measure, direction, apart : the number that `run` returns; the wrong code's number is "higher" or "lower"
        than the right one's by at least `apart`
    numbers : what was measured with the right and with the wrong code, rounded; infinity for more than LARGE
    caught_by, bound : the check, whose error is at most `bound` for right code
    passes_gradient_check : whether the wrong code passes a gradient check; None if it has no gradient
    fix : what to write instead, and why
    seen : the kind of project where the mistake occurs
    where : a file of this library with the right code
    gradcheck : the layer, loss or model of the library that has the right code, for `scratchgen gradcheck`
    exercise : the exercise in which the reader writes the right code; None, as above, if there is none
    x_label, y_label : the axes of a plotted curve
    Right, Wrong : the two versions
    """

    title: ClassVar[str]
    symptom: ClassVar[str]
    measure: ClassVar[str]
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    apart: ClassVar[float]
    numbers: ClassVar[tuple[float, float]]
    caught_by: ClassVar[str]
    bound: ClassVar[float]
    passes_gradient_check: ClassVar[bool | None]
    fix: ClassVar[str]
    seen: ClassVar[str]
    where: ClassVar[str]
    gradcheck: ClassVar[str | None] = None
    exercise: ClassVar[str | None] = None
    x_label: ClassVar[str] = "training step"
    y_label: ClassVar[str] = "loss"
    Right: ClassVar[Any]
    Wrong: ClassVar[Any]

    @property
    def name(self) -> str:
        """The name on the command line: bias_of_one_row for the class BiasOfOneRow."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def family(self) -> str:
        """The module of this package that has the entry."""
        return type(self).__module__.rpartition(".")[2]

    def gradient_error(self, code: Any) -> float:
        """The largest relative error of code's gradient against differences; 0 to SMOOTH if it is right."""
        raise NotImplementedError(f"{self.name} has no gradient")

    def check(self, code: Any) -> float:
        """The error that the named check finds. The check fails if it is above `bound`."""
        raise NotImplementedError(f"{self.name} has no check")

    def run(self, code: Any) -> Outcome:
        """Train or sample with this code, the same way for right and wrong code."""
        raise NotImplementedError(f"{self.name} has no run")

    def caught(self, code: Any) -> bool:
        """Whether the named check fails. NaN counts as a failure."""
        return not quiet(self.check, code) <= self.bound

    def outcome(self, code: Any) -> Outcome:
        """`run` without warnings of numbers that overflow. NaN is returned as infinity."""
        found: Outcome = quiet(self.run, code)
        number = float(found.number)
        return found._replace(number=math.inf if math.isnan(number) else number)

    def reproduces(self, right: Outcome, wrong: Outcome) -> bool:
        """Whether a run found `numbers`, to 5 % or to a thousandth of the larger one."""
        found = [rounded(outcome.number) for outcome in (right, wrong)]
        finite = [abs(number) for number in self.numbers if math.isfinite(number)]
        return bool(np.allclose(found, self.numbers, rtol=0.05, atol=1e-3 * max([*finite, SMALL])))

    def shows(self, right: Outcome, wrong: Outcome) -> bool:
        """Whether the wrong code's number differs from the right one's in the stated direction."""
        difference = wrong.number - right.number
        return (difference if self.direction == "higher" else -difference) >= self.apart


class CaughtByGradient(Entry):
    """An entry whose named check is the gradient check."""

    caught_by = GRADIENT
    bound = SMOOTH
    passes_gradient_check = False

    def check(self, code: Any) -> float:
        return self.gradient_error(code)


def rounded(number: float) -> float:
    """The number with three digits; 0 for one that is only rounding, infinity for one that has diverged."""
    if abs(number) < SMALL:
        return 0.0
    return math.copysign(math.inf, number) if abs(number) > LARGE else float(f"{number:.3g}")


def quiet(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function without NumPy's warnings: wrong code may overflow."""
    with np.errstate(all="ignore"):
        return function(*arguments)
