"""Other images in the place of MNIST, for the studies that can use them."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from scratchgen.data import Digits, load_dataset, load_digits
from scratchgen.data.digits import as_digits

MNIST = re.compile("(full|embedded part of) MNIST: ")      # how the source of digits begins


def other_digits(data: str) -> Digits:
    """The images of 28 x 28 with labels 0 to 9 that load_dataset reads from a path."""
    return as_digits(load_dataset(data))


def digits_of(data: str, size: str = "full") -> Digits:
    """The images of a path, or MNIST if it is empty; size : of MNIST, as for load_digits."""
    return other_digits(data) if data else load_digits(size)


def checksum(digits: Digits) -> str:
    """The end of the names of files that depend on the images themselves: "" for MNIST, or "-5f3a91c2"."""
    if MNIST.match(digits.source):
        return ""
    return f"-{zlib.crc32(digits.x_train.tobytes()):08x}"


def suffix(data: str) -> str:
    """The end of the names of files with results of other images, such as "-fashion-mnist"."""
    return re.sub(r"[^a-z0-9]+", "-", f"-{Path(data).stem}".lower()).rstrip("-") if data else ""
