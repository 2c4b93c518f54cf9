"""The data of the page: what website/record_tug_of_war.py recorded. Pictures become one PNG for each run."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FILE = Path(__file__).resolve().parent / "record.npz"


def data() -> dict[str, Any]:
    """The steps, the digits, and the runs by "CODE-BETA"."""
    with np.load(FILE) as record:
        arrays = {name: record[name] for name in record.files}
    runs: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        run, _, part = name.rpartition("/")
        if run:
            runs.setdefault(run, {})[part] = sprite(array) if part == "pictures" else array
    return {
        "steps": arrays["steps"],
        "labels": arrays["labels"],
        "shown": sprite(arrays["shown"][None]),
        "shown_at": arrays["shown_at"],
        "about": {"trained_on": int(arrays["trained_on"])},
        "runs": runs,
    }


def sprite(pictures: np.ndarray) -> dict[str, Any]:
    """Pictures (S, P, 784) as the address of a PNG with one row for each step."""
    rows, columns, pixels = pictures.shape
    side = int(pixels**0.5)
    grid = pictures.reshape(rows, columns, side, side).transpose(0, 2, 1, 3)
    image = grid.reshape(rows * side, columns * side)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=True)
    address = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    return {"png": address, "rows": rows, "columns": columns, "side": side}
