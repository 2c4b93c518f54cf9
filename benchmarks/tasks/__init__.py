"""Whole tasks, from a fresh process to a validation figure: in scratchgen and as users of others run them.

A module NAME.py of this folder defines

    TITLE, FIGURE, THEIRS   the task, its validation figure, and the name of the other library
    TARGET, LOWER           the figure to reach, and whether a lower figure is better
    ours(reached)           the task with scratchgen
    theirs(reached)         the same with the other library

Both call reached(figure) after each epoch (or once, if there are none) and stop when it returns True. A
module imports its libraries inside these functions, so that the time of the import counts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("vae", "convnet", "mlp", "pca", "numpy_mlp")


def mnist() -> tuple[Any, Any, Any, Any]:
    """(x_train, y_train, x_test, y_test) as bytes (N, 28, 28) and labels, read without any library but NumPy.

    The files are those of SCRATCHGEN_DATA.
    """
    import gzip

    folder = Path(os.environ["SCRATCHGEN_DATA"])
    folder = folder / "mnist" if (folder / "mnist").is_dir() else folder
    found = []
    for part in ("train", "t10k"):
        for what, head in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8)):
            path = next(p for p in folder.iterdir() if p.name.startswith(f"{part}-{what}"))
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            array = np.frombuffer(data, np.uint8, offset=head)
            found.append(array.reshape(-1, 28, 28) if head == 16 else array.astype(np.int64))
    x_train, y_train, x_test, y_test = found
    return x_train, y_train, x_test, y_test
