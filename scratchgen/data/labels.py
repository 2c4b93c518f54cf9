"""Labels from a file, for data that are in another file or folder."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scratchgen.data.idx import GZIP_MAGIC, read_idx
from scratchgen.data.npy import MAGIC, read_npy, read_npz
from scratchgen.data.untrusted import DamagedFile, open_regular, shown

LARGEST = 64_000_000        # bytes of text


def read_labels(
    path: str | os.PathLike[str], n: int, files: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the labels of n examples; return them as numbers, (N,) int64, and the names of the classes.

    files : the names of the examples, for pictures in a folder

    The file has the format IDX, NPY or NPZ with one array of N whole numbers; or it is text with one label
    per line, in the order of the examples; or text with lines `FILE,LABEL`, in any order, of which each
    names a file. A header line `FILE,LABEL` without such a file is skipped. If all labels in a text are whole
    numbers of at least 0, they are the classes, and `names` is empty. Otherwise the classes are numbered in
    the order of their names.

    Raises ValueError for another number of labels, for a file without a label, and for a damaged file.
    """
    path = Path(path)
    with open_regular(path) as file:
        start = file.read(len(MAGIC))
        text = b"" if start.startswith((MAGIC, b"PK", b"\0\0", GZIP_MAGIC)) else start + file.read(LARGEST)
    if not text:
        return _from_array(path, start, n), ()
    try:
        lines = text.decode("utf-8-sig").splitlines()
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, strict=True) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        reason = shown(error, quote=False)
        raise DamagedFile(f"{path}: expected labels as text, IDX, NPY or NPZ, got {reason}") from None
    if rows and all(len(row) == 2 for row in rows) and files:
        found = _by_name(path, rows, files)
    elif all(len(row) == 1 for row in rows):
        found = [row[0] for row in rows]
    else:
        wanted = "one label per line, or lines FILE,LABEL" if files else "one label per line"
        raise ValueError(f"{path}: expected {wanted}, got {shown(','.join(rows[0]))}")
    if len(found) != n:
        raise ValueError(f"{path}: expected {n} labels, one for each example, got {len(found)}")
    return numbered(found)


def numbered(labels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as numbers (N,) int64, and the names of the classes, or none if the labels are numbers."""
    if all(label.isascii() and label.isdigit() and len(label) < 10 for label in labels):
        return np.array([int(label) for label in labels], np.int64), ()
    names = sorted(set(labels), key=natural)
    number = {name: k for k, name in enumerate(names)}
    return np.array([number[label] for label in labels], np.int64), tuple(names)


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key that compares numbers in names by value: 2.png before 10.png."""
    parts = re.split("([0-9]{1,4000})", name)
    return [(0, int(p), p) if p.isdigit() and p.isascii() else (1, 0, p.casefold()) for p in parts]


def as_labels(path: Path, y: np.ndarray, n: int) -> np.ndarray:
    """Check that an array from a file has n whole numbers of at least 0; return it as int64."""
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise ValueError(f"{path}: expected labels (N,) of whole numbers, got {y.dtype} {shown(y.shape)}")
    if len(y) != n:
        raise ValueError(f"{path}: expected {n} labels, one for each example, got {len(y)}")
    if y.size and (y.min() < 0 or y.max() > np.iinfo(np.int64).max):
        raise ValueError(f"{path}: expected labels of at least 0, got {y.min()}")
    return y.astype(np.int64)


def _from_array(path: Path, start: bytes, n: int) -> np.ndarray:
    if start == MAGIC:
        return as_labels(path, read_npy(path), n)
    if start.startswith(b"PK"):
        arrays = list(read_npz(path).values())
        if len(arrays) != 1:
            raise ValueError(f"{path}: expected one array of labels, got {len(arrays)} arrays")
        return as_labels(path, arrays[0], n)
    return as_labels(path, read_idx(path), n)


def _by_name(path: Path, rows: Sequence[Sequence[str]], files: Sequence[str]) -> list[str]:
    """The labels of the files in their order, from rows (file, label)."""
    known = set(files)
    if rows[0][0] not in known:
        rows = rows[1:]
    labels: dict[str, str] = {}
    for name, label in rows:
        if name in labels:
            raise ValueError(f"{path}: expected each file once, got {shown(name)} twice")
        labels[name] = label
    missing = [name for name in files if name not in labels]
    if missing:
        raise ValueError(f"{path}: expected a label for each file, got none for {shown(missing[0])}")
    extra = [name for name in labels if name not in known]
    if extra:
        raise ValueError(f"{path}: expected labels of the {len(files)} pictures, got {shown(extra[0])}")
    return [labels[name] for name in files]
