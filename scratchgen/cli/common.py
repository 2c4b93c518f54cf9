"""Shared code of the commands: types of arguments, a parser with short errors, checks of folders."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

WIDTH = 80      # the largest width of tables, lists and descriptions, in characters
ARRAYS = (".npy", ".npz", ".csv")
LEAST = 40      # the smallest width, because tables in narrower columns cannot be read


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that reports an error in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"scratchgen: error: {message} (see {self.prog} --help)\n")


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def columns() -> int:
    """The width of tables, lists and descriptions: that of the terminal or COLUMNS, from LEAST to WIDTH."""
    return max(LEAST, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def row(name: str, text: str, width: int) -> str:
    """A row of a list: the name, padded to `width`, and the text, which is wrapped within its own column."""
    start, below = f"{name:{width}}", " " * width
    lines = textwrap.wrap(
        text, columns(), initial_indent=start, subsequent_indent=below,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return "\n".join(lines) or name


def paragraph(text: str, indent: str = "") -> str:
    """The text wrapped to the terminal; `indent` comes before its second and later lines."""
    return textwrap.fill(
        text, columns(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def check_writable(folder: Path) -> None:
    """Check that files can be written into `folder`, which need not exist yet.

    Commands call it before they start any work. Raises NotADirectoryError or PermissionError, with the name
    of the folder or parent folder that cannot be written to.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(f"cannot write into {folder}: {there} is a file, expected a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write into {folder}: no permission to write in {there}")


def check_output(path: Path) -> None:
    """Check, before any work is done, that the file `path` can be written.

    Raises what check_writable raises, and OSError if `path` is a folder, a device or a pipe.
    """
    from scratchgen.data.files import expect_replaceable

    expect_replaceable(path)
    check_writable(path.parent)


def seconds(text: str) -> float:
    """An argument that is a finite number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return number


def whole_number(least: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number of at least `least`."""

    def parse(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else -1
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        return number

    return parse


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --json."""
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def print_result(args: argparse.Namespace, values: Mapping[str, Any], *lines: str) -> None:
    """Print lines of text, or with --json the values as one JSON object."""
    if args.json:
        print(json.dumps(plain(values), allow_nan=False))
    else:
        print(*lines, sep="\n")


def plain(value: Any) -> Any:
    """A value as JSON: arrays as lists, NumPy's numbers as numbers, nan and infinity as text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def expect_format(path: Path, formats: Sequence[str]) -> None:
    """Raise ValueError unless the path ends in one of the formats, such as .png."""
    if path.suffix.lower() not in formats:
        raise ValueError(f"--out expected a file that ends in {', '.join(formats)}, got {path}")
