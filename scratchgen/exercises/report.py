"""The report on a file as lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from scratchgen.exercises.check import BLANK, LOST, RIGHT, WAITS, Part, Report
from scratchgen.gradcheck.contract import GUARANTEES
from scratchgen.gradcheck.differences import Result
from scratchgen.gradcheck.report import as_values

MOST = 3        # arrays that are shown for an equation
Where = Callable[[BaseException], str]      # an exception as one line


def named(numbers: Iterable[str]) -> str:
    """Numbers of equations in brackets: "(LIN.2), (LIN.3)"."""
    return ", ".join(f"({number})" for number in numbers)


def report_lines(report: Report, width: int, where: Where) -> list[str]:
    """The report, at most `width` wide."""
    name, count = report.exercise.name, len(report.exercise.equations)
    if report.solved:
        what = "the equation is" if count == 1 else f"all {count} equations are"
        return wrapped(f"{name}: {what} right", width)
    lines = [line for part in report.parts for line in part_lines(part, width, where)]
    if report.blanks:
        left = len(report.blanks)
        text = f"{left} of {count} equations {'is' if left == 1 else 'are'} still blank, the first is"
        lines += wrapped(f"{name}: {text} ({report.blanks[0]})", width)
    elif not report.wrong:
        lines += whole_lines(report, width, where)
    if report.changed is not None:
        lines += wrapped(f"line {report.changed}, outside the blanks, is not as it was written", width)
    hint = report.wrong or (report.blanks[0] if report.blanks else name)
    return [*lines, f"a hint: scratchgen exercise --hint {hint}"]


def report_values(report: Report, where: Where) -> dict[str, Any]:
    """The report as plain values, for JSON."""

    def told(error: BaseException | None, failed: Iterable[Result]) -> dict[str, Any]:
        return {"error": None if error is None else where(error), "failed": [as_values(r) for r in failed]}

    return {
        "exercise": report.exercise.name,
        "solved": report.solved,
        "blanks": list(report.blanks),
        **told(report.error, report.failed),
        "equations": [
            {
                "numbers": list(part.numbers), "state": part.state, "suspect": part.suspect or None,
                **told(part.error, part.failed),
            }
            for part in report.parts
        ],
        "changed_line": report.changed,
    }  # fmt: skip


def part_lines(part: Part, width: int, where: Where) -> list[str]:
    """The state of some equations, with the results that failed."""
    name = named(part.numbers)
    states = {
        RIGHT: "right", BLANK: "blank",
        WAITS: "filled in part: checked when all of these are filled" if len(part.numbers) > 1
        else "filled: checked when the other blanks have code",
        LOST: "its lines have lost the comments # begin and # end, or are empty",
    }  # fmt: skip
    if part.state in states:
        return wrapped(f"{name}: {states[part.state]}", width)
    suspect = f"; with the library's line for ({part.suspect}) it passes" if part.suspect else ""
    lines = wrapped(f"{name}: wrong{suspect}", width)
    if part.error is not None:
        return lines + wrapped(f"    {where(part.error)}", width)
    return lines + failed_lines(part.failed, width)


def whole_lines(report: Report, width: int, where: Where) -> list[str]:
    """What is wrong if no equation is wrong by itself."""
    text = "wrong as a whole, although no equation is wrong by itself"
    lines = wrapped(f"{report.exercise.name}: {text}", width)
    if report.error is not None:
        return lines + wrapped(f"    {where(report.error)}", width)
    return lines + failed_lines(report.failed, width)


def failed_lines(failed: Iterable[Result], width: int) -> list[str]:
    """The failed results: arrays with wrong gradients, or else broken rules of the layer contract."""
    failed = list(failed)
    gradients = [r for r in failed if r.what.rpartition(": ")[2] not in GUARANTEES] or failed
    lines: list[str] = []
    known = ""      # the cause of the array before
    for result in gradients[:MOST]:
        lines += wrapped(f"    {result.what} {result.shape}: largest error {result.error:.1e}", width)
        where, _, cause = str(result.explanation or "").partition("\n")
        paragraphs = ["The same."] if cause and cause == known else [where, *cause.splitlines()]
        for paragraph in paragraphs:
            lines += textwrap.wrap(paragraph, width, initial_indent=" " * 8, subsequent_indent=" " * 8)
        known = cause
    if len(gradients) > MOST:
        lines.append(f"    and {len(gradients) - MOST} more")
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines; those after the first are indented."""
    return textwrap.wrap(text, width, subsequent_indent="    ", break_on_hyphens=False)
