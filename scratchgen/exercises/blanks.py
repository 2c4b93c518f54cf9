"""Make the file of an exercise from the library's source, find its blanks, and fill them.

The lines of a blank are between two comments, "# begin (LIN.2)" and "# end (LIN.2)".
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scratchgen.exercises.source import (
    NUMBER,
    Source,
    Span,
    code_of,
    find,
    imports,
    left_side,
    listed_equations,
    mentioned,
    read,
    span,
)
from scratchgen.exercises.spec import Equation, Exercise

BEGIN = re.compile(rf"^\s*# begin \(({NUMBER})\)")
END = re.compile(rf"^\s*# end \(({NUMBER})\)")
WIDTH = 100


def file_text(exercise: Exercise, place: int, of: int) -> str:
    """The text of the exercise's file. `place` is its number in the list of `of` exercises."""
    body = "\n".join(_body(exercise))
    name = f'\nEXERCISE = "{exercise.name}"'
    return "\n".join([_head(exercise, place, of), *_imports(exercise), name, body])


def solution(exercise: Exercise) -> dict[str, str]:
    """The library's lines of each blank equation, number -> dedented code."""
    source = read(exercise.module)
    return {e.number: _lines(source, _span(source, e)) for e in exercise.equations}


def formulas(exercise: Exercise) -> dict[str, str]:
    """The blank equations as the library's docstrings list them, number -> text."""
    listed = listed_equations(read(exercise.module), exercise.listed)
    return {e.number: f"({e.number}){listed[e.number]}" for e in exercise.equations}


def _span(source: Source, equation: Equation) -> Span:
    return span(source, equation.part, equation.number, equation.first)


def _lines(source: Source, lines: Span) -> str:
    return textwrap.dedent("\n".join(source.lines[lines.first - 1 : lines.last]))


def _head(exercise: Exercise, place: int, of: int) -> str:
    source = read(exercise.module)
    used = set().union(*(mentioned(source, part) for part in exercise.parts))
    listed = listed_equations(source, exercise.listed)
    shown = {n: left_side(text) if n in exercise.numbers else text for n, text in listed.items() if n in used}
    equations = [f"    ({number}){text}".replace("\n", "\n    ") for number, text in shown.items()]
    note = [textwrap.fill(exercise.note, WIDTH), ""] if exercise.note else []
    count = len(exercise.equations)
    blanks = "the blank" if count == 1 else f"the {count} blanks"
    what = f"{', '.join(f'({n})' for n in exercise.numbers)}"
    task = (
        f"Derive the missing right-hand sides, then fill {blanks} of the code: {what}. Replace each blank(…) "
        "by your code, in as many lines as you like, and keep the comments before and after it. The rest of "
        "the code is complete. A gradient is called like its array with a d in front: dx is the gradient of "
        f"the loss with respect to x. {exercise.chapter} derives the equations."
    )
    return "\n".join([
        f'"""Exercise {place} of {of}, {exercise.name}: {exercise.title}.', "", *equations, "",
        textwrap.fill(task, WIDTH), "", *note,
        f"    scratchgen exercise --check {exercise.file}",
        f"    scratchgen exercise --hint {exercise.name}",
        '"""', "", "from __future__ import annotations", "",
    ])  # fmt: skip


def _imports(exercise: Exercise) -> list[str]:
    """The imports of all names that the complete code uses."""
    source = read(exercise.module)
    cls = exercise.class_name
    own = {cls, *(part for part in exercise.parts if "." not in part)}
    used = {
        node.id
        for part in exercise.parts
        for node in ast.walk(find(source, part))
        if isinstance(node, ast.Name) and ast.unparse(node) != "compiled"
    }
    lines = imports(source, used - own)
    ours = ["from scratchgen.exercises import blank"]
    if cls:
        ours.append(f"from {exercise.module} import {cls} as Library{cls}")
    found: list[str] = []
    for group in _import_groups([*lines, *ours]):
        found += ["", *(wrapped for line in group for wrapped in _wrap_import(line))]
    return found[1:]


def _import_groups(lines: list[str]) -> list[list[str]]:
    """Imports of the standard library, of NumPy and of the library, each sorted."""
    groups: list[list[str]] = [[], [], []]
    for line in sorted(lines, key=lambda line: line.split()[1]):
        package = line.split()[1].partition(".")[0]
        groups[{"numpy": 1, "scratchgen": 2}.get(package, 0)].append(line)
    return [group for group in groups if group]


def _wrap_import(line: str) -> list[str]:
    if len(line) <= WIDTH:
        return [line]
    start, _, names = line.partition(" import ")
    inner = textwrap.fill(names, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return [f"{start} import (", inner, ")"]


def _body(exercise: Exercise) -> list[str]:
    """The functions and the class, with blanks."""
    source = read(exercise.module)
    lines: list[str] = []
    functions = [part for part in exercise.parts if "." not in part]
    methods = [part for part in exercise.parts if "." in part]
    for part in functions:
        lines += ["", "", *_with_blanks(exercise, source, part)]
    if methods:
        cls = exercise.class_name
        docstring = f'    """The library\'s {cls}, with your backward pass."""'
        lines += ["", "", f"class {cls}(Library{cls}):", docstring]
        for part in methods:
            lines += ["", *_with_blanks(exercise, source, part)]
    return [*lines, ""]


def _with_blanks(exercise: Exercise, source: Source, part: str) -> list[str]:
    """The lines of a function or method, with the lines of its blank equations replaced."""
    first, last = code_of(source, part)
    blanks = {s.first: (e, s) for e in exercise.equations if e.part == part for s in [_span(source, e)]}
    shared = any(equation.number in exercise.together for equation, _ in blanks.values())
    lines: list[str] = []
    number = first
    while number <= last:
        if number in blanks:
            equation, lines_of_it = blanks[number]
            while lines and lines[-1].lstrip().startswith("#") and not END.match(lines[-1]):
                lines.pop()     # a comment on how the library computes it
            lines += _blank(equation, lines_of_it, source.lines[number - 1])
            number = lines_of_it.last
        elif not (shared and source.lines[number - 1].lstrip().startswith("#")):   # the library's own units
            line = re.sub(r"\s*# (?:type: ignore|noqa|fmt).*", "", source.lines[number - 1])
            lines.append(_hidden(exercise, line))
        number += 1
    return lines


def _hidden(exercise: Exercise, line: str) -> str:
    """A line of a docstring without the right-hand side, if it lists a blank equation."""
    listed = re.match(rf"(\s+\(({NUMBER})\))(\s.*)", line)
    return listed[1] + left_side(listed[3]) if listed and listed[2] in exercise.numbers else line


def _blank(equation: Equation, lines: Span, first_line: str) -> list[str]:
    """The three lines of a blank."""
    indent = first_line[: len(first_line) - len(first_line.lstrip())]
    left = equation.left or _left(lines.statement, bool(equation.first))
    note = f"  {lines.note}" if lines.note else ""
    return [
        f"{indent}# begin ({equation.number}){note}",
        f'{indent}{left}blank("{equation.number}")',
        f"{indent}# end ({equation.number})",
    ]


def _left(statement: ast.stmt, several: bool) -> str:
    """The text before the blank: the targets of an assignment, or "return"."""
    if isinstance(statement, ast.Return):
        return "return "
    if isinstance(statement, ast.Assign):
        return "".join(f"{ast.unparse(target).strip('()')} = " for target in statement.targets)
    if isinstance(statement, ast.AugAssign):
        whole = ast.unparse(statement)
        target = ast.unparse(statement.target)
        return f"{target} = " if several and isinstance(statement.target, ast.Name) and _is_made(whole) else (
            whole.partition("= ")[0] + "= "
        )
    return ""


def _is_made(statement: str) -> bool:
    """Whether an augmented assignment scales an array that the blank itself makes, as in "dlogits *= …"."""
    return "*= " in statement or "/= " in statement


@dataclass(frozen=True)
class Region:
    """The lines between the two comments of a blank: begin and end are the lines of the comments."""

    begin: int
    end: int
    lines: tuple[str, ...]


def regions(text: str) -> dict[str, Region]:
    """The blanks of a file by number. A blank that has lost one of its comments is left out."""
    found: dict[str, Region] = {}
    lines = text.splitlines()
    for i, line in enumerate(lines):
        begin = BEGIN.match(line)
        if not begin:
            continue
        for j in range(i + 1, len(lines)):
            if BEGIN.match(lines[j]):
                break
            end = END.match(lines[j])
            if end and end[1] == begin[1]:
                found[begin[1]] = Region(i + 1, j + 1, tuple(lines[i + 1 : j]))
                break
    return found


def fill(text: str, code: Mapping[str, str]) -> str:
    """Replace the lines of blanks, number -> code, indented like their comments."""
    lines, found = text.splitlines(), regions(text)
    for number, region in sorted(found.items(), key=lambda item: -item[1].begin):
        if number in code:
            first = lines[region.begin - 1]
            indent = first[: len(first) - len(first.lstrip())]
            lines[region.begin : region.end - 1] = textwrap.indent(code[number], indent).splitlines()
    return "\n".join(lines) + "\n"


def still_blank(tree: ast.Module) -> list[str]:
    """The numbers of the calls blank("…") in a file, in the order of the file."""
    calls = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "blank"
    ]  # fmt: skip
    calls.sort(key=lambda node: (node.lineno, node.col_offset))
    return [str(c.args[0].value) for c in calls if c.args and isinstance(c.args[0], ast.Constant)]


def changed_outside(text: str, original: str) -> int | None:
    """The first line of `text` outside the blanks that differs from the exercise's file, or None."""
    mine, theirs = _outside(text), _outside(original)
    for (number, line), (_, other) in zip(mine, theirs, strict=False):
        if line != other:
            return number
    return mine[len(theirs)][0] if len(mine) > len(theirs) else None


def _outside(text: str) -> list[tuple[int, str]]:
    """The lines of code outside the blanks and the docstring of the file, with their numbers."""
    inside = {n for region in regions(text).values() for n in range(region.begin + 1, region.end)}
    lines = text.splitlines()
    tree = ast.parse(text)
    start = 0
    if tree.body and isinstance(tree.body[0], ast.Expr):
        start = tree.body[0].end_lineno or 0
    return [
        (n, line.rstrip())
        for n, line in enumerate(lines, 1)
        if n > start and n not in inside and line.strip()
    ]


def mixed(text: str, filename: str, code: Mapping[str, str], numbers: Iterable[str]) -> ast.Module:
    """The tree of a file in which the lines of some blanks are replaced by the library's code.

    All other statements keep their line numbers. Each of the blanks has statements; see `has_code`.
    """
    tree, found = ast.parse(text, filename), regions(text)
    for number in numbers:
        region = found[number]
        body = next(body for body in _all_bodies(tree) if _inside(body, region))
        inside = _inside(body, region)
        ours = ast.parse(_in_function(code[number])).body[0].body  # type: ignore[attr-defined]
        for node in (n for statement in ours for n in ast.walk(statement)):
            if isinstance(node, ast.stmt | ast.expr | ast.arg | ast.keyword):
                node.lineno = node.end_lineno = region.begin
                node.col_offset = node.end_col_offset = 0
        at = body.index(inside[0])
        body[at : at + len(inside)] = ours
    return tree


def has_code(tree: ast.Module, region: Region) -> bool:
    """Whether there is a statement between the two comments of a blank."""
    return any(_inside(body, region) for body in _all_bodies(tree))


def _in_function(code: str) -> str:
    """Code with a return statement, as the body of a function, so that it can be parsed."""
    return "def f():\n" + textwrap.indent(code, "    ")


def _all_bodies(tree: ast.Module) -> list[list[ast.stmt]]:
    found = []
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                found.append(body)
    return found


def _inside(body: list[ast.stmt], region: Region) -> list[ast.stmt]:
    return [s for s in body if region.begin < s.lineno and (s.end_lineno or s.lineno) < region.end]
