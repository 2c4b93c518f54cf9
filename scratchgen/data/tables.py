"""Tables of numbers in CSV files."""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import expect_flags
from scratchgen.data.untrusted import DamagedFile, open_regular, shown

MISSING = ("na", "n/a", "none", "null", "missing")
LONGEST_LINE = 2_000_000        # characters


class Table(NamedTuple):
    """A table of numbers.

    values : (N, D) float64, one row per line
    names  : the D names in the header line, or None if the file has no header
    """

    values: np.ndarray
    names: tuple[str, ...] | None


def read_csv(path: str | os.PathLike[str], *, delimiter: str = ",", header: bool | None = None) -> Table:
    """Read a CSV file in which every cell is a finite number with a decimal point, such as 3, -0.5 or 1e-3.

    delimiter : the character between two cells
    header    : whether the first line contains the names of the columns. By default, it is a header if all of
                its cells can be names: a name contains a letter, does not begin like a number, and is not a
                missing value such as NA. Otherwise, all cells of the first line must be numbers

    The text is UTF-8, with or without a byte order mark. Cells may be quoted. Empty lines and spaces around a
    number are ignored. A number is rounded to the nearest float64.

    Raises ValueError, with the line and the column, for a cell that is not a number: empty cells, text, a
    decimal comma, "nan", "inf", and numbers too large for float64. Also raises ValueError for rows of
    different lengths, a file without rows, names that occur twice, damaged quotes, text that is not UTF-8,
    and lines of more than 2 million characters. Raises TypeError for a `header` that is neither a bool nor
    None, and OSError if the file cannot be read.
    """
    name = os.fsdecode(path)
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n" .+-eE0123456789':
        raise ValueError(f"read_csv expected a delimiter such as ',' or ';', got {delimiter!r}")
    if header is not None:
        expect_flags("read_csv", header=header)
    with open_regular(path) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text_lines(text, name), delimiter=delimiter, strict=True)
        try:
            return _read_table(rows, name, header)
        except csv.Error as error:
            raise DamagedFile(f"{name}: expected CSV, got line {rows.line_num} with {error}") from None
        except UnicodeDecodeError as error:
            raise DamagedFile(
                f"{name}: expected text in UTF-8, got byte 0x{error.object[error.start]:02x} "
                f"after line {rows.line_num}"
            ) from None


def text_lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    """The lines of a text, one at a time."""
    for line in iter(lambda: text.readline(LONGEST_LINE + 1), ""):
        if len(line) > LONGEST_LINE:
            raise DamagedFile(f"{name}: expected at most {LONGEST_LINE} characters per line, got more")
        yield line


def _read_table(rows: Any, name: str, header: bool | None) -> Table:
    cells = (row for row in rows if row)
    first = next(cells, None)
    if first is None:
        raise DamagedFile(f"{name}: expected a table of numbers, got an empty file")
    if header is None:
        header = _is_header(name, first)
    if header:
        names = tuple(cell.strip() for cell in first)
        if len(set(names)) < len(names):
            twice = next(other for other in names if names.count(other) > 1)
            raise DamagedFile(f"{name}: expected different names of columns, got {shown(twice)} twice")
    values = array("d")                                     # 8 bytes per number; a list has about 32
    for row in cells if header else itertools.chain([first], cells):
        line = rows.line_num
        if len(row) != len(first):
            raise DamagedFile(
                f"{name}, line {line}: expected {len(first)} cells, as in the first line, got {len(row)}"
                f"{_delimiter_hint(first)}"
            )
        values.extend(numbers_of(name, line, row))
    if not values:
        raise DamagedFile(f"{name}: expected at least one row of numbers, got only a header")
    table = np.frombuffer(values).reshape(-1, len(first))
    return Table(table, names if header else None)


def _is_header(name: str, cells: Sequence[str]) -> bool:
    """Whether the first line contains names. Raises DamagedFile unless it has only names or only numbers."""
    numbers = [_as_number(cell) is not None for cell in cells]
    if any(numbers) and not all(numbers):
        column = numbers.index(False)
        raise DamagedFile(
            f"{name}, line 1: expected numbers only or names only, got {shown(cells[column])} in column "
            f"{column + 1} beside numbers; correct it, or pass header=True if the line has the names; if the "
            f"column holds the classes, use load_table(path, label={column})"
        )
    for column, cell in enumerate(cells):
        if not any(numbers) and not _is_name(cell.strip()):
            raise DamagedFile(
                f"{name}, line 1: expected numbers or names, got {shown(cell)} in column {column + 1}; "
                "correct it, or pass header=True if the line has the names"
            )
    return not any(numbers)


def _is_name(cell: str) -> bool:
    """Whether a cell is a name, and not a damaged number, such as 1_0 or 0x10, or a missing value."""
    return any(map(str.isalpha, cell)) and cell[0] not in "+-.0123456789" and cell.lower() not in MISSING


def numbers_of(name: str, line: int, row: Sequence[str], skip: int | None = None) -> list[float]:
    """The numbers in the cells of a row, without the column `skip`."""
    numbers = [_as_number(cell) for cell in row]
    for column, number in enumerate(numbers):
        if column != skip and (number is None or not math.isfinite(number)):
            cell = row[column]
            hint = "; write a decimal point instead of a comma" if "," in cell else ""
            if cell.strip() == "" or cell.strip().lower() in (*MISSING, "nan"):
                hint = "; remove the rows with missing values, or fill them in"
            elif skip is not None and _is_name(cell.strip()):
                hint = "; remove this column, or encode its text as numbers"
            if skip is None and number is None and _is_name(cell.strip()):
                hint = (
                    f"; if this column holds the classes, use load_table(path, label={column}), or --label "
                    f"{column}; other text must be removed or encoded as numbers"
                )
            if ";" in cell or "\t" in cell:
                found = ";" if ";" in cell else "\t"
                hint = f"; pass the delimiter of this file, such as delimiter={found!r}"
            raise DamagedFile(
                f"{name}, line {line}, column {column + 1}: expected a finite number, got {shown(cell)}{hint}"
            )
    return [number for column, number in enumerate(numbers) if column != skip]  # type: ignore[misc]


def _delimiter_hint(first: Sequence[str]) -> str:
    """A hint if the first line seems to have a delimiter other than a comma, else ""."""
    found = [d for d in ";\t" if d in first[0]] if len(first) == 1 else []
    return f"; the cells of this file seem to be separated by {found[0]!r}, expected commas" if found else ""


def _as_number(cell: str) -> float | None:
    """The number in a cell, or None. float() also accepts 1_000 and the digits of other scripts."""
    if "_" in cell or not cell.isascii():
        return None
    try:
        return float(cell)
    except ValueError:
        return None
