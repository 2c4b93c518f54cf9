"""`scratchgen demo`: run the scripts of demos/, from a checkout or from an installed package."""

from __future__ import annotations

import argparse
import ast
import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import scratchgen
from scratchgen.cli.common import add_json_argument, check_writable, paragraph, print_result, row
from scratchgen.cli.demo_record import command_of, numbers_in, recorded
from scratchgen.cli.demo_settings import parse_settings, settings_of
from scratchgen.cli.sources import add_data_arguments, data_words, expect_data, load_data

HELP = "run one demo; its figures go to gallery/"
PACKAGE = "scratchgen.demos"
FORMATS = ("png", "svg", "gif")
NOT_DEMOS = ("__init__", "common")
TIMES = "README.md"     # of the gallery, which has a table with the usual and the shortest time of each demo
TIME = re.compile(r"^\| \[`demo (\w+)`\].*\| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a name that --list shows")
    parser.add_argument("--list", action="store_true", help="list the demos and what each shows")
    parser.add_argument(
        "--describe", action="store_true", help="print the description and the settings of NAME"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="change a setting that --describe shows; may be given several times",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("gallery"), metavar="DIR",
        help="folder for the figures (default: gallery)",
    )
    parser.add_argument(
        "--format", choices=FORMATS,
        help="format of the figures (default: png); gif for the demos that draw an animation",
    )
    parser.add_argument("--seed", metavar="S", help="short for --set seed=S")
    add_json_argument(parser)
    add_data_arguments(parser, default="the digits that `scratchgen data` shows")


def main(args: argparse.Namespace) -> int:
    """List the demos, describe one of them, or run it."""
    demos = find_demos()
    if args.list:
        times = usual_times()
        about = {
            name: {"family": demo.family, "claim": demo.claim, "time": times.get(name)}
            for name, demo in demos.items()
        }
        print_result(args, about, *listing(demos, times))
        return 0
    if args.name is None:
        raise ValueError("demo expected a NAME or --list (see scratchgen demo --help)")
    from scratchgen.checks import check_name

    demo = demos[check_name("demo", args.name, demos)]
    if args.describe:
        print(describe(demo))
        return 0
    expect_data(args)
    check_writable(args.out)
    function = load(demo)
    settings = parse_settings(function, [*args.settings, *([f"seed={args.seed}"] if args.seed else [])])
    if args.format == "gif" and not demo.is_animated:
        known = ", ".join(name for name, other in demos.items() if other.is_animated)
        raise ValueError(f"{demo.name} draws no animation; --format gif is for {known}")
    with ExitStack() as stack:
        if args.data is not None:
            stack.enter_context(replaced_digits(demo, args))
        args.out.mkdir(parents=True, exist_ok=True)
        if args.json:
            stack.enter_context(redirect_stdout(sys.stderr))
        if args.format is not None:
            stack.enter_context(import_module(f"{PACKAGE}.common").figures_as(args.format))
        others = [*data_words(args), *(["--format", args.format] if args.format else [])]
        command = command_of(demo.name, settings_of(function), settings, others)
        results = recorded(demo, function, args.out, settings, command)
        if args.format == "gif":
            print(f"Saved {results['animation']}")
    if args.json:
        print_result(args, numbers_in(results))
    return 0


def replaced_digits(demo: Demo, args: argparse.Namespace) -> AbstractContextManager[None]:
    """Other images in the place of the digits. Raises ValueError for a demo without digits."""
    from scratchgen.data.digits import as_digits, digits_from

    if "load_digits" not in demo.path.read_text(encoding="utf-8"):
        raise ValueError(f"--data expected a demo that uses digits; {demo.name} does not use them")
    digits = as_digits(load_data(args))
    present = [len(set(y.tolist())) for y in (digits.y_train, digits.y_test)]
    if min(present) < 10:
        raise ValueError(
            f"{args.data}: the demos expect ten classes, 0 to 9, for training and for testing, "
            f"got {present[0]} and {present[1]}"
        )
    print(paragraph(digits.source), file=sys.stderr if args.json else sys.stdout)
    return digits_from(digits)


def usual_times(folders: Sequence[Path] | None = None) -> dict[str, str]:
    """The usual time of each demo, such as "1.5 min", from the gallery's page; empty if it is not there."""
    return {name: usual for name, usual, _ in TIME.findall(_page_of_times(folders))}


def shortest_times(folders: Sequence[Path] | None = None) -> dict[str, str]:
    """The time of each demo with the shortest training of a tour, as `usual_times`."""
    return {name: shortest for name, _, shortest in TIME.findall(_page_of_times(folders))}


def _page_of_times(folders: Sequence[Path] | None) -> str:
    """The text of the gallery's page; empty if it is not there."""
    for root in folders or roots():
        for page in (root / TIMES, root.parent / "gallery" / TIMES):
            if page.is_file():
                return page.read_text("utf-8")
    return ""


@dataclass(frozen=True)
class Demo:
    """A script: its name, the name of its family's folder, and its path."""

    name: str
    family: str
    path: Path

    @property
    def docstring(self) -> str:
        """The docstring of the script, read without running it."""
        return ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8"))) or ""

    @property
    def claim(self) -> str:
        """What the demo shows, in one sentence."""
        return self.docstring.partition("\n\n")[0]

    @property
    def is_animated(self) -> bool:
        """Whether the demo draws an animation: "animation" is among its results."""
        return '"animation"' in self.path.read_text(encoding="utf-8")

    @property
    def notes(self) -> str:
        """The docstring of `main`, read from the source, because python -OO removes docstrings."""
        for node in ast.parse(self.path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == "main":
                return ast.get_docstring(node) or ""
        return ""


def roots() -> tuple[Path, Path]:
    """The folders that may hold demos: in the installed package, or next to it in a checkout."""
    package = Path(scratchgen.__file__).resolve().parent
    return package / "demos", package.parent / "demos"


def find_demos(folders: Sequence[Path] | None = None) -> dict[str, Demo]:
    """The demos by name, in reading order, from the first of the folders that has any.

    A demo is FAMILY/NAME.py. Families are in the order of models.FAMILIES, and other folders follow. ORDER in
    the __init__.py of a family's folder gives the order of its demos. Demos that are not in ORDER follow.

    Raises FileNotFoundError if there are none.
    """
    for root in folders or roots():
        scripts = [path for path in sorted(root.glob("*/*.py")) if path.stem not in NOT_DEMOS]
        if scripts:
            from scratchgen.models import FAMILIES

            found = {(path.parent.name, path.stem): path for path in scripts}
            families = dict.fromkeys([*FAMILIES, *(family for family, _ in found)])
            order = [(family, name) for family in families for name in reading_order(root / family)]
            pairs = sorted(dict.fromkeys([*order, *found]), key=lambda pair: list(families).index(pair[0]))
            return {pair[1]: Demo(pair[1], pair[0], found[pair]) for pair in pairs if pair in found}
    raise FileNotFoundError(f"no demos found in {' or '.join(map(str, folders or roots()))}")


def reading_order(folder: Path) -> tuple[str, ...]:
    """The names in ORDER of a folder's __init__.py; none if it has no ORDER."""
    init = folder / "__init__.py"
    if init.is_file():
        for node in ast.parse(init.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER":
                return tuple(ast.literal_eval(node.value))
    return ()


def listing(demos: Mapping[str, Demo], times: Mapping[str, str] | None = None) -> list[str]:
    """A row for each demo with its usual time, under the name of its family; as wide as the terminal."""
    width = max(map(len, demos)) + 2
    time_width = max(map(len, (times or {}).values()), default=0)
    lines: list[str] = []
    family = None
    for demo in demos.values():
        if demo.family != family:
            family = demo.family
            lines += ["", f"{family}:"] if lines else [f"{family}:"]
        start = f"  {demo.name:{width}}{(times or {}).get(demo.name, ''):>{time_width}}"
        lines.append(row(start, demo.claim, len(start) + (2 if time_width else 0)))
    return lines


def load(demo: Demo) -> Callable[..., Any]:
    """The function main(out, **settings) of a demo. The folder of demos is imported as scratchgen.demos."""
    root = demo.path.parent.parent
    if getattr(sys.modules.get(PACKAGE), "__path__", None) != [str(root)]:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{PACKAGE}.")]:
            del sys.modules[name]
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(root)]
        sys.modules[PACKAGE] = package
    module = import_module(f"{PACKAGE}.{demo.family}.{demo.name}")
    function: Callable[..., Any] = module.main
    return function


def describe(demo: Demo) -> str:
    """The docstring of a demo, and its settings with their defaults."""
    function = load(demo)
    notes = demo.notes.split("\n\n")
    settings = settings_of(function)
    width = max(map(len, settings), default=0)
    lines = [f"{key:{width}} = {value!r}" for key, value in settings.items()]
    about = map(_wrapped, [*demo.docstring.split("\n\n"), *filter(None, notes)])
    return "\n".join(["\n\n".join(about), "", "settings (--set):", *(lines or ["none"])])


def _wrapped(text: str) -> str:
    """Wrap a paragraph, or the lines of a list "name : text", to the terminal.

    Other lists and formulas, which have indented lines, are not changed.
    """
    lines = text.splitlines()
    if any(line.startswith((" ", "-", "|")) for line in lines):
        return text
    if all(" : " in line for line in lines):
        return "\n".join(paragraph(line, indent="    ") for line in lines)
    return paragraph(text)
