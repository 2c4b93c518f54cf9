"""What a finished comparison puts into its chapter: the tables of compare.json, and the picture."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from scratchgen.studies.chapters import fill

COMMAND = "python -m scratchgen.studies.compare"


def update(results: Path, picture: Path, chapter: Path, figure: Path) -> None:
    """Fill the chapter from results (compare.json), and copy its picture with 256 colours.

    Raises ValueError for results without tables and a chapter without marks, OSError where a file is missing.
    """
    tables = json.loads(results.read_text(encoding="utf-8")).get("tables")
    if not tables:
        raise ValueError(f"{results} holds no tables; `scratchgen compare` writes it anew")
    joined = {name: "\n".join(lines) for name, lines in tables.items()}
    text = fill(chapter.read_text(encoding="utf-8"), joined, COMMAND)
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256).save(figure)
    chapter.write_text(text, encoding="utf-8")
