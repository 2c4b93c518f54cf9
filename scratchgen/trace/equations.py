"""The numbered equations of the library, as its docstrings list them."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from scratchgen.exercises.source import NUMBER

CHAPTER = re.compile(r"Derived\s+in\s+(docs/[\w-]+\.md)")
LISTED = re.compile(rf"^(\s+)\(({NUMBER})\)(\s\s+)(\S.*)$")
DEFINED = re.compile(r"^\s*(?:class|def) (\w+)")
GAP = re.compile(r"(?<=\S)\s{3,}(?=\S)")     # between a formula and the remark behind it


class Equation(NamedTuple):
    """A numbered equation: (LIN.1), "out = x·W + b", and a remark, such as the shapes.

    owner : the class or function whose docstring lists it
    chapter : the page that derives it, such as "docs/vae.md"
    """

    number: str
    formula: str
    remark: str = ""
    owner: str = ""
    chapter: str = ""


def equation(number: str, file: str) -> Equation:
    """The equation with this number, as this file lists it or another one; without a formula if none does."""
    for source in [file, *source_files()]:
        if number in listed(source):
            return listed(source)[number]
    return Equation(number, "")


def applicable(equations: Iterable[Equation], classes: set[str]) -> tuple[Equation, ...]:
    """The equations without those of classes that are not in use, if a line has equations of several classes.

    VAE.backward, for instance, has the numbers of VAE and of ConditionalVAE at the same line.
    """
    every = tuple(equations)
    mine = tuple(e for e in every if not e.owner[:1].isupper() or e.owner in classes)
    return mine or every


def source_files() -> list[str]:
    """The files of the loaded modules that may list equations: of the library, and of a script that runs."""
    files = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and (name.startswith("scratchgen.") or name == "__main__"):
            files.append(file)
    return files


@functools.cache
def listed(file: str) -> dict[str, Equation]:
    """The equations that the docstrings of a file list, by number."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, Equation] = {}
    chapter = CHAPTER.search(text)
    derived = chapter[1] if chapter else ""
    number, column, owner = "", 0, ""
    for line in text.splitlines():
        definition = DEFINED.match(line)
        if definition:
            owner = definition[1]
        start = LISTED.match(line)
        if start:
            number, column = start[2], start.start(4)
            found.setdefault(number, Equation(number, *_split(start[4]), owner, derived))
        elif number and line.strip() and len(line) - len(line.lstrip()) >= min(column, 9) > 0:
            found[number] = _continued(found[number], line, column)
        else:
            number = ""
    return found


def _continued(equation: Equation, line: str, column: int) -> Equation:
    """The equation with a further line: of the formula, or of the remark if the line is far to the right."""
    far = len(line) - len(line.lstrip()) > column + 20
    if far:
        return equation._replace(remark=f"{equation.remark} {line.strip()}".strip())
    formula, remark = _split(line.strip())
    joined = f"{equation.formula}\n{formula}"
    return equation._replace(formula=joined, remark=f"{equation.remark} {remark}".strip())


def _split(text: str) -> tuple[str, str]:
    """The formula, with single spaces around "=", and the remark."""
    text = re.sub(r"(?<=\S)\s+(?=[=←≥] )", " ", text.strip())
    pieces = GAP.split(text)
    formula = [pieces[0]]
    while len(pieces) > 1 and formula[-1].rstrip().endswith((",", ":")):    # "z = …,   logdet = …"
        formula.append(pieces.pop(1))
    return " ".join(formula), " ".join(pieces[1:])
