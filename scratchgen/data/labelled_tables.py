"""Tables of numbers for training, with the classes in one of the columns."""

from __future__ import annotations

import csv
import io
import os
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data.idx import GZIP_MAGIC
from scratchgen.data.labels import as_labels, numbered, read_labels
from scratchgen.data.npy import MAGIC, read_npy, read_npz
from scratchgen.data.tables import numbers_of, read_csv, text_lines
from scratchgen.data.untrusted import DamagedFile, open_regular, shown


@dataclass(frozen=True, eq=False)
class LabelledTable:
    """A table for training.

    x       : (N, D) float32
    y       : (N,) int64, the class of each row as a number, or None if there are no labels
    names   : the names of the classes; empty if there are no labels, or if the labels are numbers
    columns : the names of the D columns; empty if the file does not have them
    """

    x: np.ndarray
    y: np.ndarray | None = None
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @classmethod
    def from_array(cls, path: Path, array: np.ndarray, y: np.ndarray | None = None) -> LabelledTable:
        """A table from an array (N, D) of a file, and its labels."""
        x = _as_float32(path, array)
        return cls(x, None if y is None else as_labels(path, y, len(x)))

    def take(self, index: np.ndarray) -> LabelledTable:
        """Some of the rows."""
        return LabelledTable(
            self.x[index], None if self.y is None else self.y[index], self.names, self.columns
        )


def load_table(
    path: str | os.PathLike[str],
    *,
    label: str | int | None = None,
    labels: str | os.PathLike[str] | None = None,
    delimiter: str = ",",
) -> LabelledTable:
    """Load a table of numbers from a CSV, NPY or NPZ file, and the classes of its rows if they are given.

    label  : the column of a CSV file that holds the classes: its name in the header line, or its number from
             0, or from the end (−1 is the last one). Its cells may be text
    labels : a file with the label of each row, as for load_images

    The other cells of a CSV file are numbers, as for read_csv. NPY has an array (N, D). NPZ has an array
    (N, D), and optionally one of N integer labels. The numbers are converted to float32.

    Raises ValueError for a file that read_csv, read_npy or read_npz does not accept, for an unknown column,
    for labels of another number than rows, and for numbers outside the range of float32. Raises OSError if a
    file cannot be read.
    """
    path = Path(path)
    with open_regular(path) as file:
        start = file.read(len(MAGIC))
    if path.suffix.lower() in (".npy", ".npz") and not start.startswith((MAGIC, b"PK")):
        wanted = path.suffix[1:].upper()
        raise DamagedFile(f"{path}: expected the format {wanted}, got a file of another format")
    if start.startswith((b"\0\0", GZIP_MAGIC)):
        raise DamagedFile(f"{path}: expected a table in the format CSV, NPY or NPZ, got another format")
    y: np.ndarray | None = None
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    if start == MAGIC:
        values = read_npy(path)
    elif start.startswith(b"PK"):
        values, y = _values_and_labels(path, read_npz(path))
    elif label is None:
        table = read_csv(path, delimiter=delimiter)
        values, columns = table.values, table.names or ()
    else:
        values, y, names, columns = _with_label(path, label, delimiter)
    if label is not None and start.startswith((MAGIC, b"PK")):
        raise ValueError(f"{path}: label names a column of a CSV file; this file is NPY or NPZ")
    if labels is not None:
        if y is not None:
            raise ValueError(f"load_table expected no labels file, because {path} has labels, got {labels}")
        y, names = read_labels(labels, len(values))
    return LabelledTable(_as_float32(path, values), y, names, columns)


def _as_float32(path: Path, values: np.ndarray) -> np.ndarray:
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"{path}: expected a table (N, D), got an array of shape {shown(values.shape)}")
    with np.errstate(over="ignore"):
        x = values.astype(np.float32)
    if not np.isfinite(x).all():
        row, column = (int(i[0]) for i in np.nonzero(~np.isfinite(x)))
        raise ValueError(
            f"{path}: expected finite numbers in the range of float32, got {values[row, column]} in row "
            f"{row}, column {column}"
        )
    return np.ascontiguousarray(x)


def _values_and_labels(path: Path, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    tables = [array for array in arrays.values() if array.ndim == 2]
    labels = [array for array in arrays.values() if array.ndim == 1]
    if len(tables) != 1 or len(labels) > 1 or len(arrays) != len(tables) + len(labels):
        found = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items()) or "none"
        raise ValueError(
            f"{path}: expected one array (N, D) and at most one of N integer labels, "
            f"got {shown(found, quote=False)}"
        )
    return tables[0], as_labels(path, labels[0], len(tables[0])) if labels else None


def _with_label(path: Path, label: str | int, delimiter: str) -> tuple[Any, Any, Any, Any]:
    """The values, labels, names of classes and names of columns of a CSV file."""
    with open_regular(path) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text_lines(text, str(path)), delimiter=delimiter, strict=True)
        values, found, width = array("d"), [], 0
        header: tuple[str, ...] = ()
        try:
            for row in rows:
                if not row:
                    continue
                line = rows.line_num
                if not width:
                    width = len(row)
                    place = _place(path, label, row)
                    others = [cell.strip() for i, cell in enumerate(row) if i != place]
                    if isinstance(label, str) or not any(map(_starts_like_a_number, others)):
                        header = tuple(others)
                        continue
                if len(row) != width:
                    raise DamagedFile(
                        f"{path}, line {line}: expected {width} cells, as in the first line, got {len(row)}"
                    )
                found.append(row[place].strip())
                if not found[-1]:
                    raise DamagedFile(f"{path}, line {line}, column {place + 1}: expected a label, got none")
                values.extend(numbers_of(str(path), line, row, skip=place))
        except (csv.Error, UnicodeDecodeError) as error:
            reason = shown(error, quote=False)
            raise DamagedFile(f"{path}: expected CSV in UTF-8, got {reason}") from None
    if not found or width == 1:
        raise DamagedFile(f"{path}: expected rows of numbers and a label, got none")
    return np.frombuffer(values).reshape(len(found), -1), *numbered(found), header


def _starts_like_a_number(cell: str) -> bool:
    return cell[:1] in "+-.0123456789"


def _place(path: Path, label: str | int, first: list[str]) -> int:
    """The index of the column of labels, from the first line of a file."""
    cells = [cell.strip() for cell in first]
    if isinstance(label, str):
        if label not in cells:
            listed = shown(", ".join(cells), quote=False)
            raise ValueError(f"{path}: expected a column {label!r}; the first line has {listed}")
        return cells.index(label)
    if not -len(cells) <= label < len(cells):
        raise ValueError(f"{path}: expected label to be a column of {len(cells)}, got {label}")
    return label % len(cells)
