"""Measured tables in the chapters and the README: Markdown between two marks, which say who made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def marks(name: str, command: str) -> tuple[str, str]:
    """The lines between which a table stands that a command makes."""
    return f"<!-- {name}: made by {command} -->", f"<!-- end of {name} -->"


def fill(text: str, tables: Mapping[str, str], command: str) -> str:
    """Put each table, by its name, between its marks in a text; what stood there goes.

    Raises ValueError where a mark is missing.
    """
    for name, table in tables.items():
        start, end = marks(name, command)
        if start not in text or end not in text.split(start, 1)[1]:
            raise ValueError(f"expected the marks {start!r} and {end!r} in the text")
        before, rest = text.split(start, 1)
        text = f"{before}{start}\n{table}\n{end}{rest.split(end, 1)[1]}"
    return text


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown: the title with a colon, and below it the rows."""
    lines = [title + ":", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
