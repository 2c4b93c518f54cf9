"""Tables as HTML, which notebooks display."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_table"]


def html_table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    foot: Sequence[str] = (),
    text: int = 0,
) -> str:
    """Return a table as HTML. All texts are escaped.

    caption : the line above the table
    head : the names of the columns
    rows : the cells of each row
    foot : the cells of a last row, or none
    text : the number of columns at the left that contain text; the others contain numbers, at the right edge
    """
    parts = [f"<table><caption>{escape(caption)}</caption>", f"<thead>{_row('th', head, text)}</thead>"]
    parts += ["<tbody>", *(_row("td", row, text) for row in rows), "</tbody>"]
    if foot:
        parts.append(f"<tfoot>{_row('th', foot, text)}</tfoot>")
    return "\n".join([*parts, "</table>"])


def _row(tag: str, cells: Sequence[str], text: int) -> str:
    shown = []
    for i, cell in enumerate(cells):
        side = "left" if i < text else "right"
        shown.append(f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>')
    return f"<tr>{''.join(shown)}</tr>"
