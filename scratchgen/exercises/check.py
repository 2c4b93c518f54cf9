"""Check the file of an exercise: the whole file, and each equation with the library's lines for the others.

The verdict on the file is that of the gradient check of its code, so any correct derivation passes. If it
fails, or if there are blanks left, each equation is also checked alone. That names the equation with the
mistake, and makes the cause easier to find, because only one mistake is left.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from scratchgen import kernels
from scratchgen.checks import check_name
from scratchgen.exercises.blanks import changed_outside, has_code, mixed, regions, solution, still_blank
from scratchgen.exercises.catalogue import EXERCISES, text_of
from scratchgen.exercises.spec import Exercise
from scratchgen.gradcheck.differences import Result

RIGHT, WRONG, BLANK, WAITS, LOST = "right", "wrong", "blank", "waits", "lost"


@dataclass(frozen=True)
class Part:
    """The check of one equation, or of several that are checked together.

    numbers : of the equations
    state : RIGHT, WRONG, BLANK, WAITS (another blank is needed for the check), or LOST (without its comments)
    failed : the results that failed
    error : the exception that its code raised
    suspect : the equation of several that has the mistake, or ""
    """

    numbers: tuple[str, ...]
    state: str
    failed: tuple[Result, ...] = ()
    error: Exception | None = None
    suspect: str = ""


@dataclass(frozen=True)
class Report:
    """The check of a file.

    blanks : the equations that are still blank, in the order of the exercise
    failed, error : of the whole file, if nothing is blank
    parts : the equations one by one; empty if the file is right
    changed : the first line outside the blanks that differs from the exercise, or None
    """

    exercise: Exercise
    blanks: tuple[str, ...]
    failed: tuple[Result, ...] = ()
    error: Exception | None = None
    parts: tuple[Part, ...] = field(default=())
    changed: int | None = None

    @property
    def solved(self) -> bool:
        """Whether nothing is blank and all gradients are right."""
        return not (self.blanks or self.failed or self.error)

    @property
    def wrong(self) -> str:
        """The number of the first equation that is wrong, or ""."""
        wrong = [part.suspect or part.numbers[0] for part in self.parts if part.state == WRONG]
        return wrong[0] if wrong else ""


def parse(text: str, filename: str) -> tuple[Exercise, ast.Module]:
    """The exercise of a file, and its syntax tree.

    Raises ValueError, in one line, for a file that does not parse and for one that is not an exercise.
    """
    try:
        tree = ast.parse(text, filename)
    except SyntaxError as error:
        raise ValueError(f"{filename}, line {error.lineno}: the file does not parse: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:     # null bytes; expressions nested too deeply
        raise ValueError(f"{filename}: the file does not parse: {error}") from None
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXERCISE":
            if not isinstance(node.value, ast.Constant) or not isinstance(node.value.value, str):
                break
            try:
                return EXERCISES[check_name("exercise", node.value.value, EXERCISES)], tree
            except ValueError as error:
                raise ValueError(f"{filename}, line {node.lineno}: {error}") from None
    raise ValueError(
        f'{filename} is not an exercise: it has no line EXERCISE = "NAME". '
        "`scratchgen exercise NAME` writes one"
    )


def check_text(text: str, filename: str) -> Report:
    """Check the text of an exercise's file. Its code is run in this process.

    Raises what `parse` raises. Exceptions of the code are part of the report.
    """
    exercise, tree = parse(text, filename)
    left = still_blank(tree)
    blanks = tuple(number for number in exercise.numbers if number in left)
    failed: tuple[Result, ...] = ()
    error = None
    if not blanks:
        failed, error = run(exercise, tree, filename)
        if not failed and error is None:
            return Report(exercise, ())
    code = solution(exercise)
    parts = tuple(
        check_part(exercise, text, filename, numbers, blanks, code) for numbers in exercise.groups()
    )
    return Report(exercise, blanks, failed, error, parts, changed_outside(text, text_of(exercise)))


def run(
    exercise: Exercise, tree: ast.Module, filename: str
) -> tuple[tuple[Result, ...], Exception | None]:
    """Run the code of a file and its check; return the results that failed, and an exception or None."""
    module = types.ModuleType(f"exercise_{exercise.name.replace('-', '_')}")
    module.__file__ = filename
    try:
        with kernels.use("reference"), np.errstate(all="ignore"):      # nan and inf are in the results
            exec(compile(tree, filename, "exec"), vars(module))
            results = exercise.check(SimpleNamespace(**vars(module)))
    except Exception as error:
        return (), error
    return tuple(result for result in results if not result.ok), None


def check_part(
    exercise: Exercise,
    text: str,
    filename: str,
    numbers: tuple[str, ...],
    blanks: tuple[str, ...],
    code: Mapping[str, str],
) -> Part:
    """Check some equations with the library's lines for all others."""
    found, tree = regions(text), ast.parse(text)
    lost = {n for n in exercise.numbers if n not in found or not has_code(tree, found[n])}
    if lost & set(numbers):
        return Part(numbers, LOST)
    still = [number for number in numbers if number in blanks]
    if still or lost:
        return Part(numbers, BLANK if len(still) == len(numbers) else WAITS)
    others = [number for number in exercise.numbers if number not in numbers]
    failed, error = run(exercise, mixed(text, filename, code, others), filename)
    if not failed and error is None:
        return Part(numbers, RIGHT)
    suspects = []
    for number in numbers if len(numbers) > 1 else ():
        if run(exercise, mixed(text, filename, code, [*others, number]), filename) == ((), None):
            suspects.append(number)
    return Part(numbers, WRONG, failed, error, suspects[0] if len(suspects) == 1 else "")
