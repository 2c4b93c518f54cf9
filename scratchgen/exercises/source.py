"""Read the library's source: functions and methods, the lines of an equation, imports, listed equations."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import NamedTuple

NUMBER = r"[A-Z][A-Z0-9]{1,5}\.[1-9][0-9]*"
BLANK = "____"
Function = ast.FunctionDef | ast.ClassDef


class Source(NamedTuple):
    """The source of a module."""

    module: str
    lines: list[str]
    tree: ast.Module


@functools.cache
def read(module: str) -> Source:
    """Read the source of a module of the library."""
    text = inspect.getsource(import_module(module))
    return Source(module, text.splitlines(), ast.parse(text))


def find(source: Source, part: str) -> Function:
    """The function, class or method that is named as in "affine" or "Linear.backward". Raises KeyError."""
    body: list[ast.stmt] = source.tree.body
    node: Function | None = None
    for name in part.split("."):
        node = next((n for n in body if isinstance(n, Function) and n.name == name), None)
        if node is None:
            raise KeyError(f"{source.module} has no {part}")
        body = node.body
    assert node is not None
    return node


class Span(NamedTuple):
    """The lines first … last of a module (counted from 1) that compute an equation."""

    first: int
    last: int
    statement: ast.stmt     # the one with the equation's number
    note: str               # what the comment says after the number


def span(source: Source, part: str, number: str, first: str = "") -> Span:
    """The lines of an equation: the statement with the number, and those before it from `first` on.

    Raises KeyError if there is no statement with this number, or none that begins with `first`.
    """
    for body in _bodies(find(source, part)):
        for i, statement in enumerate(body):
            comment = _comment(source, statement, number)
            if comment is None or hasattr(statement, "body"):
                continue
            starts = [s for s in body[: i + 1] if source.lines[s.lineno - 1].strip().startswith(first)]
            if first and not starts:
                break
            start = starts[0] if first else statement
            return Span(start.lineno, statement.end_lineno or statement.lineno, statement, _note(comment))
    raise KeyError(f"{source.module}: {part} has no line of ({number})")


def _bodies(function: Function) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(function):
        for field in ("body", "orelse"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                yield body


def _comment(source: Source, statement: ast.stmt, number: str) -> str | None:
    """The comment of a statement from the number on, or None."""
    for line in source.lines[statement.lineno - 1 : statement.end_lineno]:
        comment = line.partition("#")[2]
        found = re.search(rf"\((?:{NUMBER}, ?)*{re.escape(number)}\b[^)]*\)", comment)
        if found:
            return comment[found.end() :]
    return None


def _note(comment: str) -> str:
    """The rest of a comment, unless it goes on with other numbers."""
    return "" if re.search(NUMBER, comment) or comment.startswith(",") else comment.strip()


def code_of(source: Source, part: str) -> tuple[int, int]:
    """The lines of a function or method, counted from 1, without the decorator `compiled`."""
    node = find(source, part)
    kept = [d for d in node.decorator_list if ast.unparse(d) != "compiled"]
    return min([node.lineno, *(d.lineno for d in kept)]), node.end_lineno or node.lineno


def imports(source: Source, names: Iterable[str]) -> list[str]:
    """The import statements that make names of the module available in another file."""
    wanted, lines = set(names), set()
    found: dict[str, set[str]] = {}
    for node in source.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                known = alias.asname or alias.name
                if known not in wanted:
                    continue
                text = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
                if isinstance(node, ast.Import):
                    lines.add(f"import {text}")
                elif node.module:
                    found.setdefault(node.module, set()).add(text)
        for name in _defined(node):
            if name in wanted:
                found.setdefault(source.module, set()).add(name)
    for module, those in found.items():
        lines.add(f"from {module} import {', '.join(sorted(those))}")
    return sorted(lines)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, Function):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [t.id for target in node.targets for t in ast.walk(target) if isinstance(t, ast.Name)]
    return []


def mentioned(source: Source, part: str) -> set[str]:
    """The numbers of equations in the comments and docstrings of a function or method."""
    first, last = code_of(source, part)
    return set(re.findall(NUMBER, "\n".join(source.lines[first - 1 : last])))


def listed_equations(source: Source, owners: Iterable[str]) -> dict[str, str]:
    """The equations that docstrings list, number -> the text behind it, with the lines that continue it."""
    found: dict[str, str] = {}
    for owner in owners:
        number = ""
        for line in (ast.get_docstring(find(source, owner)) or "").splitlines():
            start = re.match(rf"\s*\(({NUMBER})\)(\s\s.*)", line)
            if start:
                number = start[1]
                found[number] = start[2]
            elif number and line.startswith("   "):
                found[number] += f"\n{line}"
            else:
                number = ""
    return found


def left_side(equation: str) -> str:
    """The equation with its right-hand sides replaced by a blank: "  dW  = xᵀ·dout" becomes "  dW  = ____".

    The shape behind the formula is kept. Lines that continue an equation are dropped.
    """
    line, pieces, note = equation.partition("\n")[0], [], ""
    for piece in re.split(r",\s{2,}(?=[^=←]{1,20}[=←] )", line):
        sign = re.search("[=←] ", piece)
        end = re.compile(r"(?<=\S)\s{3,}").search(piece, sign.end() if sign else 0)
        formula, note = (piece[: end.start()], piece[end.end() :]) if end else (piece, "")
        signs = list(re.finditer("[=←] ", formula))
        pieces.append(f"{formula[: signs[-1].end()] if signs else '  '}{BLANK}")
    shape = f"    {note}" if re.fullmatch(r"\([^)]*\)( each)?", note) else ""
    return f"{',  '.join(pieces)}{shape}"
