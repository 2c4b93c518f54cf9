"""Other images in the place of MNIST, for the studies that can use them."""

from __future__ import annotations

import re
from pathlib import Path

from scratchgen.data import Digits, load_dataset
from scratchgen.data.digits import as_digits


def other_digits(data: str) -> Digits:
    """The images of 28 x 28 with labels 0 to 9 that load_dataset reads from a path."""
    return as_digits(load_dataset(data))


def suffix(data: str) -> str:
    """The end of the names of files with results of other images, such as "-fashion-mnist"."""
    return re.sub(r"[^a-z0-9]+", "-", f"-{Path(data).stem}".lower()).rstrip("-") if data else ""
