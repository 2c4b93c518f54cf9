"""Read source files: the statements of a file by line, and the equation numbers in their comments."""

from __future__ import annotations

import ast
import functools
import linecache
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scratchgen.exercises.source import NUMBER

PACKAGE = Path(__file__).resolve().parent.parent
IN_BRACKETS = re.compile(rf"\({NUMBER}(?:, ?{NUMBER})*\)")
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef)


class Statement(NamedTuple):
    """A statement of a file. Of a loop or an `if`, it is the first line only.

    numbers : of the equations in its comment
    names : what it assigns, in order: variables, and parts of arrays such as "alpha[:, t]"
    gradients : the dotted names of the parameters whose gradient it adds to, such as ("self.weight",)
    reads : the variables that it uses
    kind : "assign", "add" (for += and for a part of an array), "return", "head" (of a loop or `if`) or
        "other"
    """

    file: str
    first: int
    last: int
    numbers: tuple[str, ...]
    names: tuple[str, ...]
    gradients: tuple[str, ...]
    reads: frozenset[str]
    kind: str
    code: str

    @property
    def place(self) -> str:
        """The file, relative to the package, and the line: "layers/linear.py:19"."""
        return f"{short(self.file)}:{self.first}"


def short(file: str) -> str:
    """The path of a file, relative to the package if it is in it; otherwise its name."""
    path = Path(file)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name


def forget() -> None:
    """Read all files again when they are next needed: in a notebook, they may have been edited since."""
    linecache.checkcache()
    for cached in (_tree, statements, names_read_after):
        cached.cache_clear()


@functools.cache
def _tree(file: str) -> ast.Module:
    """The syntax tree of a file; empty if the file cannot be read."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return ast.Module([], [])


@functools.cache
def statements(file: str) -> dict[int, Statement]:
    """The statements of a file, by each of their lines. Empty if the file cannot be read."""
    lines = linecache.getlines(file)
    found: dict[int, Statement] = {}
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            statement = _statement(file, lines, node)
            for line in range(statement.first, statement.last + 1):
                found[line] = statement
    return found


def _statement(file: str, lines: list[str], node: ast.stmt) -> Statement:
    first, last = node.lineno, node.end_lineno or node.lineno
    if isinstance(node, COMPOUND):
        last = max(first, node.body[0].lineno - 1)
    text = lines[first - 1 : last]
    numbers = tuple(dict.fromkeys(n for line in text for n in numbers_of(line)))
    own = _header(node)
    names, gradients = _targets(own)
    code = textwrap.dedent("".join(text)).rstrip()
    reads = frozenset(_reads(own))
    return Statement(file, first, last, numbers, names, gradients, reads, _kind(node), code)


def _reads(node: ast.AST) -> Iterator[str]:
    """The variables whose entries are used, so without x in len(x), x.shape and x.dtype."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    of_length = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"
    of_shape = isinstance(node, ast.Attribute) and node.attr in ("shape", "dtype", "size", "ndim")
    if not of_length and not of_shape:
        for child in ast.iter_child_nodes(node):
            yield from _reads(child)


def numbers_of(line: str) -> Iterator[str]:
    """The numbers in the comment of a line, such as LIN.2. "(BN.1) to (BN.5)" gives both ends."""
    for group in IN_BRACKETS.findall(line.partition("#")[2]):
        yield from re.findall(NUMBER, group)


def _kind(node: ast.stmt) -> str:
    if isinstance(node, ast.AugAssign):
        return "add"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        return "add"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return "assign"
    if isinstance(node, ast.Return):
        return "return"
    return "head" if isinstance(node, COMPOUND) else "other"


def _header(node: ast.stmt) -> ast.AST:
    """The statement; of a loop or an `if`, what its first line evaluates."""
    if isinstance(node, ast.If | ast.While):
        return node.test
    if isinstance(node, ast.For):
        return node.iter
    return ast.Pass() if isinstance(node, COMPOUND) else node


def _targets(node: ast.AST) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that a statement assigns, and the parameters whose gradient it changes."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    names, gradients = [], []
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
                names.append(ast.unparse(part))             # alpha[:, t] = …
            if isinstance(part, ast.Name):
                names.append(part.id)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and inner.attr in ("grad", "add_grad"):
            gradients.append(ast.unparse(inner.value))
    return tuple(names), tuple(dict.fromkeys(gradients))


@functools.cache
def names_read_after(file: str, line: int) -> frozenset[str]:
    """The variables that a function reads after a line, or anywhere in a loop that the line is in."""
    functions = [n for n in ast.walk(_tree(file)) if isinstance(n, ast.FunctionDef) and _contains(n, line)]
    if not functions:
        return frozenset()
    function = max(functions, key=lambda n: n.lineno)       # the innermost
    loops = [n for n in ast.walk(function) if isinstance(n, ast.For | ast.While) and _contains(n, line)]
    start = min((n.lineno for n in loops), default=line + 1)
    return frozenset(
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.lineno >= start
    )


def _contains(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)
