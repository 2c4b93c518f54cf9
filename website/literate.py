"""What a literate page shows: sections of a chapter and the code of a layer or model, by equation."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scratchgen import layers, models
from scratchgen.module import Module
from website.demo_pages import family_titles
from website.places import LISTED, ROOT, find_places, lines_of_code


class Unit(NamedTuple):
    """A function or method: its lines in a file, and the equations at them.

    numbers : (first line, last line, numbers) of each statement that computes equations
    """

    path: str
    name: str
    first: int
    last: int
    numbers: tuple[tuple[int, int, tuple[str, ...]], ...]

    @property
    def named(self) -> set[str]:
        return {number for *_, numbers in self.numbers for number in numbers}


class Page(NamedTuple):
    """A literate page: a public class, its kind ("layers" or a model family), and its numbers and units."""

    name: str
    kind: str
    path: str
    about: str
    numbers: tuple[str, ...]
    units: tuple[Unit, ...]         # with equations, in the order of the files
    rest: tuple[Unit, ...]          # the other methods of the class


@functools.cache
def units_of(path: str) -> tuple[Unit, ...]:
    """The functions of a file, and the methods of its classes as "Class.method"."""
    source = (ROOT / path).read_text(encoding="utf-8")
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            found.append(_unit(path, node.name, node))
        elif isinstance(node, ast.ClassDef):
            methods = [inner for inner in node.body if isinstance(inner, ast.FunctionDef)]
            found += [_unit(path, f"{node.name}.{method.name}", method) for method in methods]
    return tuple(found)


def _unit(path: str, name: str, node: ast.FunctionDef) -> Unit:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.end_lineno or node.lineno
    simple = [inner for inner in ast.walk(node) if isinstance(inner, ast.stmt) and not hasattr(inner, "body")]
    numbers = []
    for line, named in lines_of_code(ROOT / path):
        if first <= line <= last:
            begin, end = _statement(simple, line)
            numbers.append((begin, end, named))
    return Unit(path, name, first, last, tuple(numbers))


def _statement(simple: list[ast.stmt], line: int) -> tuple[int, int]:
    """The lines of the statement with this line, or the line itself, for a comment of its own."""
    for node in simple:
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            return node.lineno, node.end_lineno or node.lineno
    return line, line


def pages() -> Iterator[Page]:
    """One page for each public layer and model."""
    for name in layers.__all__:
        yield from _page(name, "layers", getattr(layers, name))
    for family in models.FAMILIES:
        module = __import__(f"scratchgen.models.{family}", fromlist=["__all__"])
        for name in module.__all__:
            yield from _page(name, family, getattr(module, name))


def _page(name: str, kind: str, value: object) -> Iterator[Page]:
    if not inspect.isclass(value) or not (issubclass(value, Module) or hasattr(value, "fit")):
        return
    path = Path(inspect.getsourcefile(value) or "").relative_to(ROOT).as_posix()
    own = [unit for unit in units_of(path) if unit.name.split(".")[0] == name]
    numbers = dict.fromkeys(LISTED.findall(value.__doc__ or ""))
    for unit in own:
        numbers |= dict.fromkeys(n for *_, named in unit.numbers for n in named)
    places = find_places()
    wanted = {number for number in numbers if number in places.chapter}
    files = [path, *(place.path for n in numbers for place in places.code.get(n, ())[:1])]
    units = [
        unit
        for file in dict.fromkeys(files)
        for unit in units_of(file)
        if unit.named & wanted and (file != path or "." not in unit.name or unit in own)
    ]
    missing = wanted - {number for unit in units for number in unit.named}      # in methods of a base class
    units += [unit for file in dict.fromkeys(files) for unit in units_of(file) if unit.named & missing]
    rest = [unit for unit in own if unit not in units]
    about = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    yield Page(name, kind, path, about, tuple(n for n in numbers if n in wanted), tuple(units), tuple(rest))


@functools.cache
def all_pages() -> tuple[Page, ...]:
    return tuple(pages())


def index() -> str:
    """The Markdown page that lists all literate pages."""
    lines = [
        "# The derivation beside the code",
        "Each page shows the derivation of a layer or a model on the left and its code on the right. An "
        "equation and the line that computes it are marked together.\n",
    ]
    titles = {"layers": "Layers", **family_titles()}
    kind = ""
    for page in all_pages():
        if page.kind != kind:
            kind = page.kind
            lines.append(f"\n## {titles.get(kind, kind.capitalize())}\n")
        link = f'<a class="reference internal" href="literate/{page.name}.html">{page.name}</a>'
        lines.append(f"- {link}: {page.about}")
    return "\n".join(lines) + "\n"
