"""Files of numbers and pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

GAP, SMALLEST = 2, 56       # pixels between the images of a grid; the least height of an image in it


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns of equal length as CSV with a header, as NPZ, or, if there is only one, as NPY.

    A column is an array (N,), or an array (N, K), which becomes the CSV columns name_0, name_1 and so on.
    """
    from scratchgen.data.files import write_whole

    suffix = path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".csv":
        names, parts = [], []
        for name, column in columns.items():
            column = np.asarray(column)
            names += [name] if column.ndim == 1 else [f"{name}_{k}" for k in range(column.shape[1])]
            parts += [column] if column.ndim == 1 else list(column.T)
        rows = [",".join(names), *(",".join(map(_cell, row)) for row in zip(*parts, strict=True))]
        write_whole(path, "\n".join(rows) + "\n")
        return
    buffer = io.BytesIO()
    if suffix == ".npy":
        if len(columns) != 1:
            raise ValueError(f"{path}: expected .npz or .csv for {', '.join(columns)}; .npy has one array")
        np.save(buffer, next(iter(columns.values())))
    else:
        arrays: dict[str, Any] = {name: np.asarray(column) for name, column in columns.items()}
        np.savez(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def write_grid(path: Path, images: np.ndarray, columns: int) -> None:
    """Write images (N, H, W, C) with intensities in [0, 1] as one PNG, in rows of `columns`.

    Small images are enlarged by a whole factor, so that each pixel stays a square.
    """
    from PIL import Image

    from scratchgen.data.files import write_whole

    n, height, width, channels = images.shape
    rows = -(-n // columns)
    pixels = np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), 128, np.uint8)
    for i, image in enumerate(pixels):
        y, x = GAP + i // columns * (height + GAP), GAP + i % columns * (width + GAP)
        sheet[y : y + height, x : x + width] = image
    factor = max(1, SMALLEST // height)
    sheet = sheet.repeat(factor, axis=0).repeat(factor, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(buffer, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())


def _cell(value: Any) -> str:
    if isinstance(value, str):
        quoted = value.replace('"', '""')
        return f'"{quoted}"' if any(c in value for c in ',"\n\r') else value
    return repr(value.item() if isinstance(value, np.generic) else value)
