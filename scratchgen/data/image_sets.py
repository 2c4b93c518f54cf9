"""Images for training, from a folder of pictures or from one NPY, NPZ or IDX file."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scratchgen.data.idx import GZIP_MAGIC, read_idx
from scratchgen.data.labels import as_labels, natural, read_labels
from scratchgen.data.npy import MAGIC, read_npy, read_npz
from scratchgen.data.pictures import CHANNELS, read_pixels, resized
from scratchgen.data.untrusted import DamagedFile, expect_within, open_regular, packed_limit, shown

SUFFIXES = (".png", ".jpg", ".jpeg")
LIGHT = 0.75        # mean intensity of the border above which the background counts as light
DARK = 64           # if the largest integer is below this, a white of 255 is unlikely

logger = logging.getLogger("scratchgen")


@dataclass(frozen=True, eq=False)
class Images:
    """Images for training.

    x     : (N, H·W·C) float32, intensities from 0 to 1, row by row from the top, as in `Digits`
    shape : (H, W, C), which convolutional models take
    y     : (N,) int64, the class of each image as a number, or None if there are no labels
    names : the names of the classes; empty if there are no labels, or if the classes have no names
    """

    x: np.ndarray
    shape: tuple[int, int, int]
    y: np.ndarray | None = None
    names: tuple[str, ...] = ()

    @property
    def images(self) -> np.ndarray:
        """The same intensities as images (N, H, W, C)."""
        return self.x.reshape(-1, *self.shape)

    @classmethod
    def from_array(
        cls,
        path: Path,
        array: np.ndarray,
        y: np.ndarray | None = None,
        *,
        colour: str = "grey",
        size: tuple[int, int] | None = None,
        invert: bool = False,
    ) -> Images:
        """Images from an array, with the rules and arguments of load_images; path : for messages."""
        x = _as_intensities(path, _with_channels(path, array, colour))
        x = x if size is None else resized(x, size)
        labels = None if y is None else as_labels(path, y, len(x))
        return _inverted(path, cls(x.reshape(len(x), -1), x.shape[1:], labels), colour, invert)

    def take(self, index: np.ndarray) -> Images:
        """Some of the images."""
        return Images(self.x[index], self.shape, None if self.y is None else self.y[index], self.names)

    def __repr__(self) -> str:
        height, width, channels = self.shape
        classes = "" if self.y is None else f", {len(np.unique(self.y))} classes"
        return f"Images({len(self.x):,} images of {height} x {width} x {channels}{classes})"


def load_images(
    path: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    colour: str = "grey",
    size: tuple[int, int] | None = None,
    invert: bool = False,
    max_bytes: int | None = None,
) -> Images:
    """Load images of one size from a folder of PNG and JPEG files, or from an NPY, NPZ or IDX file.

    labels    : a file with the label of each image, as numbers (IDX, NPY, NPZ) or as text: one label per
                line, or lines FILE,LABEL for the pictures of a folder
    colour    : "grey" for images with one channel, "rgb" for three
    size      : (H, W) to which the images are resized; if None, all pictures must have the same size
    invert    : use 1 − intensity, for dark strokes on a light background. Most models expect a dark
                background. If the borders of grey images are light, a warning is logged by the logger
                "scratchgen"
    max_bytes : the largest total size of the pixels, 1 byte each; by default 64 million, or 100 times the
                size of the files if this is larger

    Folder: the images are sorted by name, and numbers in names are sorted by value (2.png before 10.png). If
    the pictures are in subfolders, each subfolder is a class. Classes are numbered in the same order. Hidden
    files are ignored, and files that are not named .png, .jpg or .jpeg are skipped with a message. See
    read_image for the pictures that are accepted.

    Arrays: shape (N, H, W), (N, H, W, 1) or (N, H, W, 3). uint8 and larger integers are divided by 255, with
    a warning in the log if the largest one is small, such as 16. Floating-point numbers must be within
    [0, 1]. Booleans are 0 and 1. An NPZ file contains one such array, and optionally one array of N integer
    labels. The format is recognised by the content of the file, not by its name.

    Raises ValueError for images of different sizes or shapes, values out of range and missing images, and for
    files that read_image, read_npy, read_npz or read_idx do not accept. Raises OSError if a file cannot be
    read.
    """
    if colour not in CHANNELS:
        raise ValueError(f"load_images expected colour to be one of {', '.join(CHANNELS)}, got {colour!r}")
    if size is not None and (len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size)):
        raise ValueError(f"load_images expected size to be (H, W) with H, W >= 1, got {size!r}")
    path = Path(path)
    if path.is_dir():
        found, files = _from_folder(path, colour, size, max_bytes)
    else:
        found, files = _from_file(path, colour, size, max_bytes), []
    if labels is not None:
        if found.y is not None:
            raise ValueError(f"load_images expected no labels file, because {path} has labels, got {labels}")
        y, names = read_labels(labels, len(found.x), [file.name for file in files])
        found = Images(found.x, found.shape, y, names)
    return _inverted(path, found, colour, invert)


def _inverted(path: Path, found: Images, colour: str, invert: bool) -> Images:
    if invert:
        np.subtract(1, found.x, out=found.x)
    elif colour == "grey":
        _report_light_background(path, found.images)
    return found


def _from_folder(
    folder: Path, colour: str, size: tuple[int, int] | None, max_bytes: int | None
) -> tuple[Images, list[Path]]:
    """The images of a folder, and their files."""
    files, folders = _list(folder)
    names = tuple(inside.name for inside in folders)
    labels = []
    if folders and files:
        raise ValueError(f"{folder}: expected pictures or subfolders with pictures, got both")
    for number, inside in enumerate(folders):
        pictures, deeper = _list(inside)
        if deeper:
            raise ValueError(f"{inside}: expected pictures only, got the subfolder {shown(deeper[0].name)}")
        files += pictures
        labels += [number] * len(pictures)
    if not files:
        raise ValueError(f"{folder}: expected files named {', '.join(SUFFIXES)}, found none")
    pixels = _read_all(folder, files, colour, size, max_bytes)
    x = np.divide(pixels.reshape(len(pixels), -1), 255, dtype=np.float32)
    y = np.array(labels, np.int64) if folders else None
    return Images(x, pixels.shape[1:], y, names), files


def _read_all(
    folder: Path, files: Sequence[Path], colour: str, size: tuple[int, int] | None, max_bytes: int | None
) -> np.ndarray:
    """The 8-bit pixels of all pictures, (N, H, W, C)."""
    first = read_pixels(files[0], colour, size)
    limit = packed_limit(sum(file.stat().st_size for file in files), max_bytes)
    expect_within(str(folder), len(files) * first.size, limit)
    pixels = np.empty((len(files), *first.shape), np.uint8)
    for i, file in enumerate(files):
        picture = read_pixels(file, colour, size)
        if picture.shape != first.shape:
            raise ValueError(
                f"{file}: expected {first.shape[0]} x {first.shape[1]} pixels, as {files[0].name} has, got "
                f"{picture.shape[0]} x {picture.shape[1]}; pass size=(H, W), or --size HxW, to resize all"
            )
        pixels[i] = picture
    return pixels


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures and the folders in a folder, in natural order."""
    visible = (p for p in folder.iterdir() if not p.name.startswith("."))
    inside = sorted(visible, key=lambda p: natural(p.name))
    folders = [p for p in inside if p.is_dir()]
    files = [p for p in inside if not p.is_dir() and p.suffix.lower() in SUFFIXES]
    skipped = len(inside) - len(folders) - len(files)
    if skipped:
        first = next(p for p in inside if p not in folders and p not in files)
        logger.warning("%s: skipped %d files that are not pictures, such as %s", folder, skipped, first.name)
    return files, folders


def _from_file(
    path: Path, colour: str, size: tuple[int, int] | None, max_bytes: int | None
) -> Images:
    with open_regular(path) as file:
        start = file.read(len(MAGIC))
    y = None
    if start == MAGIC:
        array = read_npy(path)
    elif start.startswith(b"PK"):
        array, y = _images_and_labels(path, read_npz(path, max_bytes=max_bytes))
    elif start.startswith((b"\0\0", GZIP_MAGIC)):
        array = read_idx(path, max_bytes=max_bytes)
    else:
        raise DamagedFile(f"{path}: expected a folder of pictures, or a file in the format NPY, NPZ or IDX")
    x = _as_intensities(path, _with_channels(path, array, colour))
    if size is not None:
        x = resized(x, size)
    return Images(x.reshape(len(x), -1), x.shape[1:], y)


def _images_and_labels(path: Path, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """The array of images in an NPZ file, and its array of labels or None."""
    images = [array for array in arrays.values() if array.ndim >= 3]
    labels = [array for array in arrays.values() if array.ndim == 1 and array.dtype.kind in "iu"]
    if len(images) != 1 or len(labels) > 1 or len(arrays) != len(images) + len(labels):
        found = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items()) or "none"
        raise ValueError(
            f"{path}: expected one array of images (N, H, W) or (N, H, W, C) and at most one of N integer "
            f"labels, got {shown(found, quote=False)}"
        )
    if not labels:
        return images[0], None
    return images[0], as_labels(path, labels[0], len(images[0]))


def _with_channels(path: Path, array: np.ndarray, colour: str) -> np.ndarray:
    """Images (N, H, W, C) with at least one pixel."""
    images = array[..., None] if array.ndim == 3 else array
    shape = shown(array.shape)
    if images.ndim != 4 or images.size == 0 or images.shape[3] not in CHANNELS.values():
        raise ValueError(f"{path}: expected images (N, H, W), (N, H, W, 1) or (N, H, W, 3), got {shape}")
    if images.shape[3] != CHANNELS[colour]:
        hint = "pass colour='rgb'" if images.shape[3] == 3 else "pass colour='grey'"
        raise ValueError(f"{path}: expected {CHANNELS[colour]} channels, got {images.shape[3]}; {hint}")
    return images


def _as_intensities(path: Path, images: np.ndarray) -> np.ndarray:
    """Intensities in [0, 1] as a contiguous array of float32."""
    low, high = images.min(), images.max()
    if images.dtype.kind == "f":
        if not (low >= 0 and high <= 1):                # `not` also covers NaN
            raise ValueError(f"{path}: expected intensities within [0, 1], got {low:g} to {high:g}")
        return np.ascontiguousarray(images, np.float32)
    if images.dtype.kind == "b":
        return np.ascontiguousarray(images, np.float32)
    if not (low >= 0 and 1 < high <= 255):
        hint = "; store binary images as booleans" if high <= 1 else ""
        raise ValueError(f"{path}: expected integers from 0 to 255, got {low} to {high}{hint}")
    if high < DARK:
        logger.warning(
            "%s: the largest integer is %d, so after the division by 255 all images are nearly black; if it "
            "means white, save the images divided by %d",
            path, high, high,
        )  # fmt: skip
    return np.divide(np.ascontiguousarray(images), 255, dtype=np.float32)


def _report_light_background(path: Path, images: np.ndarray) -> None:
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    border = float(np.mean([edge.mean(dtype=np.float64) for edge in edges]))
    if border > LIGHT:
        logger.warning(
            "%s: the background is light (mean intensity of the border %.2f), but most models expect a dark "
            "one; pass invert=True (on the command line --invert) to invert the images",
            path, border,
        )  # fmt: skip
