"""Where each numbered equation is: in which chapter, at which lines of code, and in which tests."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
NUMBER = r"[A-Z][A-Z0-9]{1,5}\.[1-9][0-9]*"
IN_BRACKETS = re.compile(rf"\({NUMBER}(?:, ?{NUMBER})*\)")
RANGE = re.compile(rf"\(({NUMBER})\) to \(({NUMBER})\)")
TAG = re.compile(rf"\\tag\{{({NUMBER})\}}")
LISTED = re.compile(rf"^ +\(({NUMBER})\)  ", re.MULTILINE)       # in the list of a docstring
LISTED_PAGE = re.compile(r"^(?:\d+\.|-) +\[[^\]]+\]\(([\w-]+)\.md\)", re.MULTILINE)
MATHEMATICS = re.compile(r"\$\$.*?\$\$|```math.*?```", re.DOTALL)


class Place(NamedTuple):
    """A line of a file; for a test, also the name of the test function."""

    path: str
    line: int
    name: str = ""


def numbers_in(text: str) -> list[str]:
    """The numbers in brackets, in order; "(BN.1) to (BN.3)" names three."""
    found = [number for group in IN_BRACKETS.findall(text) for number in re.findall(NUMBER, group)]
    for first, last in RANGE.findall(text):
        prefix, begin = first.split(".")
        found += [f"{prefix}.{n}" for n in range(int(begin), int(last.split(".")[1]) + 1)]
    return list(dict.fromkeys(found))


def comments(source: str) -> Iterator[tuple[int, str]]:
    """The comments of Python code with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@functools.cache
def lines_of_code(path: Path) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """(line, numbers) for each comment of a file that names equations."""
    found = ((line, tuple(numbers_in(text))) for line, text in comments(path.read_text(encoding="utf-8")))
    return tuple((line, numbers) for line, numbers in found if numbers)


def tests_of(source: str) -> Iterator[tuple[str, int, str]]:
    """(name, first line, text) of each test, with its decorators and the comment right above it."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            while first > 0 and lines[first - 1].lstrip().startswith("#"):
                first -= 1
            yield node.name, first + 1, "\n".join(lines[first : node.end_lineno])


class Places(NamedTuple):
    """number -> page of the chapter ("docs/layers"), lines of code, tests."""

    chapter: dict[str, str]
    code: dict[str, list[Place]]
    tests: dict[str, list[Place]]


@functools.cache
def find_places(root: Path = ROOT) -> Places:
    """Scan docs/, scratchgen/ and tests/.

    The files that list a number in a docstring come first and the compiled versions in kernels/ last. Within
    the same rank, a line that names one number comes before a line that names several.
    """
    places = Places({}, {}, {})
    for path in sorted((root / "docs").rglob("*.md")):
        if path.name.startswith("add-a-"):      # its numbers belong to an example that the reader adds
            continue
        for block in MATHEMATICS.findall(path.read_text(encoding="utf-8")):
            for number in TAG.findall(block):
                places.chapter[number] = path.relative_to(root).with_suffix("").as_posix()
    ranked: dict[str, list[tuple[int, int, Place]]] = {}
    for path in sorted((root / "scratchgen").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        listed = set(LISTED.findall(path.read_text(encoding="utf-8")))
        for line, numbers in lines_of_code(path):
            for number in numbers:
                rank = 2 if name.startswith("scratchgen/kernels/") else number not in listed
                ranked.setdefault(number, []).append((rank, len(numbers), Place(name, line)))
    places.code.update({number: [place for *_, place in sorted(found)] for number, found in ranked.items()})
    for path in sorted((root / "tests").rglob("test_*.py")):
        if path.name == "test_equations.py":        # its numbers are examples
            continue
        for name, line, text in tests_of(path.read_text(encoding="utf-8")):
            for number in numbers_in(text):
                place = Place(path.relative_to(root).as_posix(), line, name)
                places.tests.setdefault(number, []).append(place)
    return places


def reading_list(root: Path) -> tuple[list[str], list[str]]:
    """The chapters and the other pages of docs/, in the order of docs/README.md."""
    text = (root / "docs" / "README.md").read_text(encoding="utf-8")
    chapters, _, others = text.partition("\nReference and how-to:")
    return LISTED_PAGE.findall(chapters), LISTED_PAGE.findall(others)
