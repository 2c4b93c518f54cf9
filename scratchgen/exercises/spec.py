"""What an exercise is: names of the library's code, the equations that are left blank, and hints.

The text of an exercise's file is made from the library's source; see blanks.py. So a spec contains no code
and no formula of the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from scratchgen.gradcheck.differences import Result

Check = Callable[[SimpleNamespace], list[Result]]   # the names of the learner's file -> the results


class Blank(NotImplementedError):
    """Raised by code that is still blank. The text names the equation."""


def blank(number: str) -> Any:
    """Stand for code that is still to be written. Raises Blank, which names the equation."""
    raise Blank(f"({number}) is still blank")


@dataclass(frozen=True)
class Equation:
    """An equation of the backward pass whose lines are left blank.

    number : of the equation, such as "LIN.2"
    part : which of the exercise's parts has the line, such as "Linear.backward"
    hint : one or two sentences that do not contain the formula
    first : how the first statement of the blank begins; "" if the blank is the statement with the number
    left : the left side in the file, such as "self.weight.grad += "; "" to take it from the statement
    """

    number: str
    part: str
    hint: str
    first: str = ""
    left: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    name, title : "batch-norm" and a few words
    module : the module with the code
    parts : functions and methods that the file contains, in the order of the file
    equations : the blanks, in the order in which they should be filled
    check : the gradient check of the code in the file
    chapter : the page that derives the equations
    idea : the first hint
    listed : classes or functions whose docstrings list the equations
    cls : the class that gets the methods; by default the class of the first method
    together : numbers of equations that depend on a common convention, so they are checked together
    note : what the file says about its blanks, besides the equations
    """

    name: str
    title: str
    module: str
    parts: tuple[str, ...]
    equations: tuple[Equation, ...]
    check: Check
    chapter: str
    idea: str
    listed: tuple[str, ...]
    cls: str = ""
    together: tuple[str, ...] = ()
    note: str = ""

    @property
    def file(self) -> str:
        """The name of the file that the exercise is written to."""
        return f"{self.name.replace('-', '_')}.py"

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of the blank equations."""
        return tuple(equation.number for equation in self.equations)

    @property
    def class_name(self) -> str:
        """The class that gets the methods; "" if the exercise has functions only."""
        methods = [part for part in self.parts if "." in part]
        return self.cls or (methods[0].partition(".")[0] if methods else "")

    def groups(self) -> list[tuple[str, ...]]:
        """The numbers that are checked together, in order: those in `together`, and each other one alone."""
        found: list[tuple[str, ...]] = []
        for number in self.numbers:
            group = self.together if number in self.together else (number,)
            if group not in found:
                found.append(group)
        return found
