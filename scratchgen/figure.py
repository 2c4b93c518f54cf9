"""A Figure that notebooks display. It imports Matplotlib, so it is imported with the first figure."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["DisplayedFigure"]


class DisplayedFigure(Figure):
    """A Matplotlib Figure that a notebook displays as the last expression of a cell, without pyplot."""

    def _repr_png_(self) -> bytes:
        """The picture in the PNG format, which IPython asks for."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi)
        return buffer.getvalue()
