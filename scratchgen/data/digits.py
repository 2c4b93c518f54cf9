"""Handwritten digits: full MNIST, or the part of it that is embedded in the package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from scratchgen.data.datasets import Dataset, load_dataset
from scratchgen.data.download import download_digits
from scratchgen.data.mnist import MNIST, cache_folder, find_file, read_folder

EMBEDDED = Path(__file__).with_name("digits.npz")
SOURCES = ("auto", "full", "embedded")
SHAPE = (28, 28, 1)


@dataclass(frozen=True, eq=False, repr=False)
class Digits(Dataset):
    """Digits for training and testing, or other images of 28 x 28 in their place.

    x_train, x_test : (N, 784) float32, intensities from 0 (background) to 1, row by row from the top
    y_train, y_test : (N,) int64, 0 to 9
    source          : a text that says where the digits come from
    """

    y_train: np.ndarray
    y_test: np.ndarray
    shape: tuple[int, int, int] | None = SHAPE


_chosen: ContextVar[Digits | None] = ContextVar("digits", default=None)


@contextmanager
def digits_from(digits: Digits) -> Iterator[None]:
    """Within this context, load_digits() returns `digits`; the demos use them with the option --data.

    load_digits with an explicit source or folder is not changed.
    """
    token = _chosen.set(digits)
    try:
        yield
    finally:
        _chosen.reset(token)


def load_digits(source: str = "auto", folder: str | Path | None = None) -> Digits:
    """Load MNIST.

    source "embedded" : the 6,000 + 1,000 digits that come with the package
    source "full"     : all 60,000 + 10,000, from the folder if one is given, otherwise downloaded once into
                        the user's cache
    source "auto"     : the full set if a folder is given or the set was downloaded before, otherwise the
                        embedded part; this never uses the network
    folder            : contains the IDX files, gzipped or not, directly or in its subfolder mnist/; by
                        default the environment variable SCRATCHGEN_DATA. With source "auto" it may also be
                        other data with labels and of 28 x 28 pixels, in any form that load_dataset reads,
                        such as Fashion-MNIST

    If a folder is given, its files must be readable. The embedded part is then never used instead. Hashes
    decide whether the files are those of MNIST, which source "full" requires.

    Raises ValueError for an unknown source and for a damaged or unexpected file, FileNotFoundError for a
    missing folder or file (also if source is "full" and the user has no home folder to download to), and
    ConnectionError if the download fails.
    """
    if source not in SOURCES:
        raise ValueError(f"load_digits expected source to be one of {', '.join(SOURCES)}, got {source!r}")
    if source == "embedded":
        if folder is not None:
            raise ValueError(f"load_digits expected no folder with source 'embedded', got {folder}")
        return _embedded()
    chosen = _chosen.get()
    if source == "auto" and folder is None and chosen is not None:
        return chosen
    folder = folder if folder is not None else os.environ.get("SCRATCHGEN_DATA") or None
    if folder is not None and source == "full":
        return _full(read_folder(folder, MNIST), f"read from {folder}")
    if folder is not None:
        return _from_user(Path(folder))
    try:
        cache = cache_folder()
        downloaded = all(find_file(cache, name) for name in MNIST)
    except OSError:         # there is no home folder, or this user cannot read it
        if source == "full":
            raise
        downloaded = False
    if source == "full":
        download_digits(cache, files=MNIST)
    elif not downloaded:
        return _embedded()
    return _full(read_folder(cache, MNIST), f"downloaded to {cache}")


def as_digits(data: Dataset) -> Digits:
    """Use another data set in the place of MNIST.

    Raises ValueError unless its images are grey, have 28 x 28 pixels and labels of at most 9.
    """
    if data.shape != SHAPE:
        got = "a table"
        if data.shape is not None:
            got = "{} x {} x {}; resize them with size=(28, 28) or --size 28x28".format(*data.shape)
        raise ValueError(f"{data.source}: expected grey images of 28 x 28 in the place of MNIST, got {got}")
    if data.y_train is None or data.y_test is None:
        raise ValueError(
            f"{data.source}: expected labels, as MNIST has them, got none; put the pictures of each class "
            "into a folder of its own, or pass a file with labels"
        )
    largest = max(int(data.y_train.max()), int(data.y_test.max()))
    if largest > 9:
        raise ValueError(f"{data.source}: expected labels from 0 to 9, as MNIST has them, got {largest}")
    return Digits(
        data.x_train, data.y_train, data.x_test, data.y_test, data.source, data.shape, data.names
    )


def as_images(X: np.ndarray) -> np.ndarray:
    """Reshape rows to images, (N, 784) -> (N, 28, 28, 1). Raises ValueError for another shape."""
    if X.ndim != 2 or X.shape[1] != 784:
        raise ValueError(f"as_images expected rows of shape (N, 784), got {X.shape}")
    return X.reshape(-1, 28, 28, 1)


def _embedded() -> Digits:
    packed = files("scratchgen.data") / EMBEDDED.name      # the package may be in a zip archive
    with packed.open("rb") as file, np.load(file) as part:
        x_train, y_train, x_test, y_test = (part[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    source = (
        f"embedded part of MNIST: {len(x_train):,} + {len(x_test):,} digits; "
        "for full MNIST, set SCRATCHGEN_DATA or run `scratchgen download`"
    )
    return Digits(_scale(x_train), y_train.astype(np.int64), _scale(x_test), y_test.astype(np.int64), source)


def _full(arrays: Sequence[np.ndarray], where: str) -> Digits:
    x_train, y_train, x_test, y_test = arrays
    source = f"full MNIST: {len(x_train):,} + {len(x_test):,} digits, {where}"
    return Digits(_scale(x_train), y_train.astype(np.int64), _scale(x_test), y_test.astype(np.int64), source)


def _from_user(path: Path) -> Digits:
    """The digits in a folder, if they are those of MNIST, or other data in their place."""
    if path.is_dir() and all(find_file(path, name) for name in MNIST):
        try:
            return _full(read_folder(path, MNIST), f"read from {path}")
        except ValueError:
            pass        # other data under the names of MNIST, or damaged files, which load_dataset refuses
    if path.is_file() and path.name.removesuffix(".gz") in MNIST:
        raise FileNotFoundError(f"load_digits expected the folder of the IDX files, got one of them: {path}")
    return as_digits(load_dataset(path))


def _scale(pixels: np.ndarray) -> np.ndarray:
    return np.divide(pixels.reshape(len(pixels), -1), 255, dtype=np.float32)
