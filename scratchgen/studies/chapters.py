"""Write measured tables into the chapters and the README, as Markdown between two marks.

    <!-- NAME: made by COMMAND -->
    ...
    <!-- end of NAME -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image


def marks(name: str, command: str) -> tuple[str, str]:
    """The two lines around a table. The first names the command that makes the table."""
    return f"<!-- {name}: made by {command} -->", f"<!-- end of {name} -->"


def fill(text: str, tables: Mapping[str, str], command: str) -> str:
    """Replace the text between the two marks of each table; the first mark then names the command.

    Raises ValueError if a mark is missing.
    """
    for name, table in tables.items():
        start, end = marks(name, command)
        pattern = rf"<!-- {re.escape(name)}:[^>]*-->\n.*?{re.escape(end)}"
        match = re.search(pattern, text, re.DOTALL)
        if match is None:
            raise ValueError(f"expected the marks {start!r} and {end!r} in the text")
        block = f"{start}\n{table}\n{end}"
        text = text[: match.start()] + block + text[match.end() :]
    return text


def between(text: str, name: str) -> str:
    """The text between the two marks of a table. Raises ValueError if a mark is missing."""
    end = re.escape(f"<!-- end of {name} -->")
    match = re.search(rf"<!-- {re.escape(name)}:[^>]*-->\n(.*?)\n?{end}", text, re.DOTALL)
    if match is None:
        raise ValueError(f"expected the marks of {name!r} in the text")
    return match[1]


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A title with a colon, and below it a Markdown table."""
    return f"{title}:\n\n{grid(head, rows)}"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def save_with_few_colours(picture: Path, figure: Path) -> None:
    """Save a copy of a picture with 256 colours, which makes a figure of a chapter a third as large."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256).save(figure)
