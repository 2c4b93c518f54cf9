"""What was measured goes into the chapters: tables between their marks, and the picture."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

MODULE = "scratchgen.compare"


def marks(name: str, module: str = MODULE) -> tuple[str, str]:
    """The lines between which a table stands that a module makes."""
    return f"<!-- {name}: made by python -m {module} -->", f"<!-- end of {name} -->"


def fill(text: str, tables: dict[str, list[str]], module: str = MODULE) -> str:
    """Put each table, a list of lines, between its marks in a text.

    Raises ValueError where a mark is missing.
    """
    for name, lines in tables.items():
        start, end = marks(name, module)
        if start not in text or end not in text.split(start, 1)[1]:
            raise ValueError(f"expected the marks {start!r} and {end!r} in the text")
        before, rest = text.split(start, 1)
        text = "\n".join([before + start, *lines, end + rest.split(end, 1)[1]])
    return text


def update(results: Path, picture: Path, chapter: Path, figure: Path) -> None:
    """Fill the chapter from results (compare.json), and copy its picture with 256 colours.

    Raises ValueError for results without tables and a chapter without marks, OSError where a file is missing.
    """
    tables = json.loads(results.read_text(encoding="utf-8")).get("tables")
    if not tables:
        raise ValueError(f"{results} holds no tables; `scratchgen compare` writes it anew")
    text = fill(chapter.read_text(encoding="utf-8"), tables)
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256).save(figure)
    chapter.write_text(text, encoding="utf-8")
