"""Data sets for training and testing, from files of many kinds: images, digits and tables.

Everything that a command reads with --data passes through `load_dataset`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scratchgen.checks import expect_count
from scratchgen.data.idx import GZIP_MAGIC
from scratchgen.data.idx_folder import has_idx, read_idx_folder
from scratchgen.data.image_sets import SUFFIXES, Images, load_images
from scratchgen.data.labelled_tables import LabelledTable, load_table
from scratchgen.data.mnist import PUBLISHED, cache_folder, find_file, read_folder
from scratchgen.data.npy import MAGIC, read_npy, read_npz
from scratchgen.data.untrusted import open_regular

HELD_OUT = 7        # of so many examples, one is for testing, as in MNIST
TEST_NAMES = ("test", "t10k", "testing", "validation", "valid", "val")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples for training and testing.

    x_train, x_test : (N, D) float32; for images, intensities from 0 to 1, row by row from the top
    y_train, y_test : (N,) int64, the class of each example as a number, or None if there are no labels
    source          : a text that says where the examples come from
    shape           : (H, W, C) of the images; None for a table
    names           : the names of the classes; empty if there are no labels, or if they are numbers
    columns         : the names of the columns of a table; empty if they have none
    """

    x_train: np.ndarray
    y_train: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None
    source: str
    shape: tuple[int, int, int] | None = None
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def which(self) -> str:
        """The source without its folder, as it is written to files of results."""
        return re.split("[;,] ", self.source)[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source})"


def load_dataset(
    path: str | os.PathLike[str],
    *,
    test: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    test_labels: str | os.PathLike[str] | None = None,
    label: str | int | None = None,
    colour: str = "grey",
    size: tuple[int, int] | None = None,
    invert: bool = False,
    delimiter: str = ",",
    ordered: bool = False,
) -> Dataset:
    """Load data for training and testing.

    path        : a folder of pictures; a folder of IDX files, such as MNIST, Fashion-MNIST or KMNIST under
                  any names; a folder with the subfolders train and test; an IDX, NPY, NPZ or CSV file; or
                  "mnist" or "fashion-mnist" for the files that `scratchgen download` fetched
    test        : data for testing, in one of these forms, with labels in the file `test_labels`
    labels      : a file with the label of each example, if `path` has none (see load_images)
    label       : the column of a CSV file that holds the classes (see load_table)
    ordered     : whether the examples are a sequence

    The other arguments are those of load_images and load_table. Unless the data have a part for testing,
    every seventh example is held out: examples drawn with a fixed seed, or the last ones of a sequence.

    Raises ValueError for data that the readers do not accept, for less than two examples, and for data for
    testing of another kind than those for training; FileNotFoundError for a missing file or a data set that
    was not downloaded.
    """
    options = {"colour": colour, "size": size, "invert": invert, "label": label, "delimiter": delimiter}
    path = Path(path)
    parts = _parts(path, labels, options)
    if test is not None:
        if len(parts) == 2:
            raise ValueError(f"load_dataset expected no test data, because {path} has a part for testing")
        parts = [*parts, _read(Path(test), test_labels, options)]
        if type(parts[0]) is not type(parts[1]):
            raise ValueError(f"load_dataset expected {path} and {test} to be both images or both tables")
    elif len(parts) == 1:
        parts = _split(path, parts[0], ordered)
    return _joined(path, *parts)


Part = Images | LabelledTable


def _parts(path: Path, labels: str | os.PathLike[str] | None, options: dict) -> list[Part]:
    """One part, or those for training and testing."""
    if not path.exists() and str(path) in PUBLISHED:
        return _published(str(path))
    if path.is_dir() and (has_idx(path) or has_idx(path / "mnist")):
        folder = path if has_idx(path) else path / "mnist"
        parts = read_idx_folder(folder, size=options["size"], invert=options["invert"])
        if labels is not None:
            raise ValueError(f"load_dataset expected no labels file for the folder {path}, got {labels}")
        return list(parts)
    if path.is_dir():
        train = path / "train"
        tests = [path / name for name in TEST_NAMES if (path / name).is_dir()]
        if train.is_dir() and len(tests) == 1:
            return [_read(folder, labels, options) for folder in (train, tests[0])]
    elif _starts_with(path, b"PK"):
        arrays = read_npz(path)
        if {"x_train", "x_test"} <= arrays.keys():
            return _from_arrays(path, arrays, options)
    return [_read(path, labels, options)]


def _published(name: str) -> list[Part]:
    """A data set that `scratchgen download` fetched, verified by its hashes."""
    folder, files = cache_folder(name), PUBLISHED[name]
    if not all(find_file(folder, file) for file in files):
        raise FileNotFoundError(
            f"{name} is not in {folder}; run `scratchgen download --dataset {name}`, or pass a folder with "
            "its files"
        )
    x_train, y_train, x_test, y_test = read_folder(folder, files)
    return [_pixels(x_train, y_train), _pixels(x_test, y_test)]


def _pixels(pixels: np.ndarray, y: np.ndarray) -> Images:
    x = np.divide(pixels.reshape(len(pixels), -1), 255, dtype=np.float32)
    return Images(x, (*pixels.shape[1:], 1), y.astype(np.int64))


def _from_arrays(path: Path, arrays: dict[str, np.ndarray], options: dict) -> list[Part]:
    """The parts of an NPZ file with x_train, y_train, x_test and y_test, the names that Keras uses."""
    unknown = sorted(set(arrays) - {"x_train", "y_train", "x_test", "y_test"})
    if unknown or ("y_train" in arrays) != ("y_test" in arrays):
        raise ValueError(f"{path}: expected x_train, y_train, x_test and y_test, got {', '.join(arrays)}")
    parts: list[Part] = []
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays.get(f"y_{part}")
        parts.append(Images.from_array(path, x, y, **_image_options(options)) if x.ndim > 2 else
                     LabelledTable.from_array(path, x, y))
    return parts


def _image_options(options: dict) -> dict:
    return {key: options[key] for key in ("colour", "size", "invert")}


def _read(path: Path, labels: str | os.PathLike[str] | None, options: dict) -> Part:
    if path.suffix.lower() in SUFFIXES and path.is_file():
        raise ValueError(f"{path}: expected a folder of pictures, got one picture; pass its folder")
    if path.is_dir() or _starts_with(path, b"\0\0", GZIP_MAGIC) or _has_images(path):
        return load_images(path, labels=labels, **_image_options(options))
    for name in ("size", "invert"):
        if options[name]:
            raise ValueError(f"load_dataset expected no {name} for the table {path}")
    delimiter = "\t" if path.suffix == ".tsv" and options["delimiter"] == "," else options["delimiter"]
    return load_table(path, label=options["label"], labels=labels, delimiter=delimiter)


def _has_images(path: Path) -> bool:
    """Whether an NPY or NPZ file has an array of at least three dimensions."""
    if _starts_with(path, MAGIC):
        return read_npy(path).ndim > 2
    return _starts_with(path, b"PK") and any(array.ndim > 2 for array in read_npz(path).values())


def _starts_with(path: Path, *starts: bytes) -> bool:
    with open_regular(path) as file:
        return file.read(max(map(len, starts))).startswith(starts)


def _split(path: Path, whole: Part, ordered: bool) -> list[Part]:
    """Two parts, for training and testing."""
    n = len(whole.x)
    if n < 2:
        raise ValueError(f"{path}: expected at least two examples, one of them for testing, got {n}")
    count = max(1, n // HELD_OUT)
    order = np.arange(n) if ordered else np.random.default_rng(0).permutation(n)
    return [whole.take(np.sort(order[:-count])), whole.take(np.sort(order[-count:]))]


def _classes(part: Part) -> str:
    return "none" if part.y is None else f"({', '.join(part.names) or 'numbers'})"


def _joined(path: Path, train: Part, test: Part) -> Dataset:
    shapes = [part.shape if isinstance(part, Images) else part.x.shape[1:] for part in (train, test)]
    if shapes[0] != shapes[1]:
        got = " and ".join(" x ".join(map(str, shape)) for shape in shapes)
        raise ValueError(f"{path}: expected training and test data of one shape, got {got}")
    if (train.y is None) != (test.y is None) or train.names != test.names:
        got = " and ".join(_classes(part) for part in (train, test))
        raise ValueError(f"{path}: expected the same classes for training and testing, got {got}")
    what = "images of {} x {} x {}".format(*train.shape) if isinstance(train, Images) else "rows of a table"
    expect_count("load_dataset", "number of test examples", len(test.x))
    return Dataset(
        train.x, train.y, test.x, test.y,
        f"{path.name or path}: {len(train.x):,} + {len(test.x):,} {what}, read from {path}",
        train.shape if isinstance(train, Images) else None,
        train.names,
        () if isinstance(train, Images) else train.columns,
    )


def read_examples(
    path: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    label: str | int | None = None,
    colour: str = "grey",
    size: tuple[int, int] | None = None,
    invert: bool = False,
    delimiter: str = ",",
) -> Part:
    """All examples of a path as one part, without a split; for data with two parts, those for testing.

    The arguments and errors are those of load_dataset.
    """
    options = {"colour": colour, "size": size, "invert": invert, "label": label, "delimiter": delimiter}
    return _parts(Path(path), labels, options)[-1]
