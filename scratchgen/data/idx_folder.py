"""A folder of IDX files under any names: images and their labels, for training and perhaps for testing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scratchgen.data.idx import GZIP_MAGIC, read_idx
from scratchgen.data.image_sets import Images
from scratchgen.data.untrusted import open_regular

TEST = re.compile("test|t10k|valid|(^|[^a-z])val([^a-z]|$)", re.IGNORECASE)

NAME = re.compile(r"-idx[0-9]-ubyte(\.gz)?$")      # of files that should be IDX, even if damaged


def has_idx(folder: Path) -> bool:
    """Whether a folder directly contains an IDX file, gzipped or not."""
    return folder.is_dir() and bool(_files(folder))


def read_idx_folder(
    folder: Path, *, size: tuple[int, int] | None = None, invert: bool = False
) -> tuple[Images, ...]:
    """Read the images in a folder: one part, or the parts for training and testing.

    Arrays of three dimensions are images, and those of one are labels. A name with "test", "t10k" or "val" is
    for testing. If the names do not say it, the smaller of two parts is for testing, and labels belong to the
    images of the same number.

    Raises ValueError for another number of files, and for labels that do not match the images.
    """
    arrays = {path: read_idx(path) for path in _files(folder)}
    images = {path: array for path, array in arrays.items() if array.ndim >= 3}
    labels = {path: array for path, array in arrays.items() if array.ndim == 1}
    listed = ", ".join(f"{path.name} {array.shape}" for path, array in arrays.items())
    wanted = f"{folder}: expected one or two IDX files of images, each with at most one of labels"
    if not 1 <= len(images) <= 2 or len(labels) > len(images) or len(images) + len(labels) < len(arrays):
        raise ValueError(f"{wanted}, got {listed}")
    tests = [path for path in images if TEST.search(path.name)]
    order = sorted(images, key=lambda path: (path in tests, -len(images[path])))
    if labels and len(labels) < len(images):
        raise ValueError(f"{wanted}, got labels for only one: {listed}")
    parts = []
    for path in order:
        y = _labels_of(folder, path, images[path], labels, listed) if labels else None
        parts.append(Images.from_array(path, images[path], y, size=size, invert=invert))
    return tuple(parts)


def _labels_of(
    folder: Path, path: Path, images: np.ndarray, labels: dict[Path, np.ndarray], listed: str
) -> np.ndarray:
    """The labels of a file of images."""
    same_part = [other for other in labels if bool(TEST.search(other.name)) == bool(TEST.search(path.name))]
    candidates: Sequence[Path] = same_part if len(same_part) == 1 else list(labels)
    fitting = [other for other in candidates if len(labels[other]) == len(images)]
    if len(fitting) != 1:
        raise ValueError(f"{folder}: expected {len(images)} labels for {path.name}, got {listed}")
    return labels[fitting[0]]


def _files(folder: Path) -> list[Path]:
    """The IDX files in a folder, sorted by name. A gzipped file counts as one unless it is a tar archive."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file() or ".tar" in path.name:
            continue
        with open_regular(path) as file:
            start = file.read(4)
        if start.startswith((b"\0\0\x08", GZIP_MAGIC)) or NAME.search(path.name):
            found.append(path)
    return found
