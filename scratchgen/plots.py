"""Figures: rows of digits and latent codes, points by class, curves.

Each function returns a new matplotlib Figure without a window or global state; `save` writes it to a file.
All figures are WIDTH inches wide (1,200 pixels in the file), so their text stays legible on a page that shows
them narrower. Matplotlib is imported when the first figure is made.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.data.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scratchgen.training.loop import History

WIDTH = 8.0
DPI = 150
FORMATS = ("png", "svg", "pdf")
TEXT, GREY = "#222222", "#777777"
# Ten colours that colour-blind readers can distinguish: P. Tol's "muted" scheme, and black.
COLOURS = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933",
    "#ddcc77", "#cc6677", "#882255", "#aa4499", "#000000",
)
# For a few lines: blue, orange, green and purple of Okabe and Ito, and a marker for each.
LINES = (("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), (GREY, "v"))


@dataclass(frozen=True)
class Row:
    """One row of an image_grid.

    label   : text at the left
    values  : images (C, H·W) with H = W, white on black; or latent codes (C, K) with bars=True
    bars    : plot each code as K bars, up for positive numbers and down for negative ones
    numbers : one for each column, below the images; empty for none
    """

    label: str
    values: np.ndarray
    bars: bool = False
    numbers: Sequence[float] = ()


def image_grid(rows: Sequence[Row], *, title: str, note: str = "", breaks: Sequence[int] = ()) -> Figure:
    """Plot rows of small images.

    note   : one line below the title
    breaks : indices of the rows that have a gap above them

    Many columns get smaller images, so that they fit next to the labels.

    Raises ValueError for no rows, for rows of different lengths, for images that are not square, and for more
    columns than fit.
    """
    columns = _columns(rows)
    heights = [0.55 if row.bars else 1.28 if len(row.numbers) else 1.0 for row in rows]
    gap, top = 0.16, 0.66 if note else 0.42                    # all lengths are in inches
    room = WIDTH - 0.3 - _label_width(rows)
    side = min(0.62, room / columns)
    if side < 0.2:
        raise ValueError(f"image_grid expected at most {int(room / 0.2)} columns, got {columns}")
    left = WIDTH - side * columns - 0.1
    height = top + side * sum(heights) + gap * len(breaks) + 0.08
    fig = new_figure(height)
    fig.text(0.1 / WIDTH, 1 - 0.12 / height, title, fontsize=12, color=TEXT, va="top", weight="bold")
    fig.text(0.1 / WIDTH, 1 - 0.40 / height, note, fontsize=9.5, color=GREY, va="top")
    y = height - top
    for number, (row, share) in enumerate(zip(rows, heights, strict=True)):
        if number in breaks:
            y -= gap
        size = side * min(share, 1)
        middle = (y - size / 2) / height
        fig.text(0.1 / WIDTH, middle, row.label, fontsize=9.5, color=TEXT, va="center", linespacing=1.3)
        for c in range(columns):
            box = ((left + side * c + 0.02) / WIDTH, (y - size + 0.02) / height)
            ax = fig.add_axes((*box, (side - 0.04) / WIDTH, (size - 0.04) / height))
            if row.bars:
                _plot_bars(ax, row.values[c], np.abs(row.values).max())
            else:
                _plot_image(ax, row.values[c])
            if len(row.numbers):
                ax.text(
                    0.5, -0.06, f"{row.numbers[c]:.1f}", transform=ax.transAxes,
                    ha="center", va="top", fontsize=8 * max(side / 0.62, 0.6), color=GREY,
                )
        y -= side * share
    return fig


def scatter_by_class(panels: Mapping[str, tuple[np.ndarray, np.ndarray]], *, title: str = "") -> Figure:
    """Plot points in the plane, with a colour for each class.

    panels : title -> (Z (N, 2), y (N,)), the points and their classes

    The number of each class is written near the median of its points.

    Raises ValueError for no panels, for points that are not (N, 2), for labels of another length, and for
    more than ten classes.
    """
    from matplotlib.patheffects import withStroke

    if not panels:
        raise ValueError("scatter_by_class expected at least one panel, got none")
    for Z, y in panels.values():
        if Z.ndim != 2 or Z.shape[1] != 2 or y.shape != (len(Z),):
            raise ValueError(f"scatter_by_class expected Z (N, 2) and y (N,), got {Z.shape} and {y.shape}")
        classes = len(np.unique(y))
        if classes > len(COLOURS):
            raise ValueError(f"scatter_by_class expected at most {len(COLOURS)} classes, got {classes}")
    fig = new_figure(WIDTH / len(panels) + 0.8, title=title + "\n")
    outline = [withStroke(linewidth=3, foreground="white")]
    for ax, (name, (Z, y)) in zip(_axes(fig, len(panels)), panels.items(), strict=True):
        for colour, k in zip(COLOURS, np.unique(y), strict=False):
            ax.scatter(*Z[y == k].T, s=7, color=colour, alpha=0.75, linewidths=0)
        medians = np.array([np.median(Z[y == k], axis=0) for k in np.unique(y)])
        for colour, k, place in zip(COLOURS, np.unique(y), _spread(medians, np.ptp(Z, axis=0)), strict=False):
            ax.text(
                *place, str(k), color=colour, fontsize=15, weight="bold", ha="center", va="center",
                path_effects=outline,
            )
        ax.set_title(name, fontsize=10, color=TEXT, linespacing=1.4)
        ax.set_box_aspect(1)
        ax.set_xticks([])
        ax.set_yticks([])
    return fig


def lines(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
) -> Figure:
    """Plot lines with a marker at each point and a legend.

    series : name -> (x, y)
    log_x  : make the x axis logarithmic, with a tick at each x

    Raises ValueError for no series, for more than five, and for x and y of different lengths or empty.
    """
    if not 1 <= len(series) <= len(LINES):
        raise ValueError(f"lines expected one to {len(LINES)} series, got {len(series)}")
    fig = new_figure(4.6, title=title)
    (ax,) = _axes(fig, 1)
    for (colour, marker), (name, (x, y)) in zip(LINES, series.items(), strict=False):
        if len(x) != len(y) or len(x) == 0:
            raise ValueError(
                f"lines expected x and y of the same length (at least 1) in {name!r}, "
                f"got {len(x)} and {len(y)}"
            )
        ax.plot(x, y, color=colour, marker=marker, markersize=6, linewidth=2, label=name)
    if log_x:
        ticks = sorted({value for x, _ in series.values() for value in x})
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
        ax.minorticks_off()
    _label(ax, xlabel, ylabel)
    ax.legend(frameon=False, fontsize=9.5)
    return fig


def curves(history: History, *, title: str = "Loss while training") -> Figure:
    """Plot the loss of each update, its mean over each epoch, and the validation value if there is one.

    The loss axis is logarithmic if all values are positive. Raises ValueError for an empty history.
    """
    loss = history.steps.get("loss", [])
    if not loss:
        raise ValueError("curves expected a history with at least one update, got an empty one")
    fig = new_figure(4.2, title=title)
    (ax,) = _axes(fig, 1)
    ax.plot(range(1, len(loss) + 1), loss, color="#9ecae1", linewidth=0.8, label="each update")
    shown = list(loss)
    for name, label, (colour, marker) in (
        ("loss", "mean of each epoch", LINES[0]),
        ("validation", "validation", LINES[1]),
    ):
        values = history.epochs.get(name, [])
        if values:
            ax.plot(history.epochs["step"], values, color=colour, marker=marker, markersize=4, label=label)
            shown += values
    if min(shown) > 0:
        ax.set_yscale("log")
    _label(ax, "updates", "loss")
    ax.legend(frameon=False, fontsize=9.5)
    return fig


def new_figure(height: float, *, title: str = "") -> Figure:
    """Return an empty figure, WIDTH inches wide, with a canvas in memory. A notebook displays it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from scratchgen.figure import DisplayedFigure

    fig = DisplayedFigure(
        figsize=(WIDTH, height), dpi=DPI, facecolor="white", layout="constrained" if title else None
    )
    FigureCanvasAgg(fig)
    if title:
        fig.suptitle(title, x=0.01, ha="left", fontsize=12, weight="bold", color=TEXT)
    return fig


def save(fig: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure to a file and return the path. The ending of the file name sets the format.

    The text of an SVG is kept as text, so that it can be searched and read aloud.

    Raises ValueError if the ending is not one of FORMATS, and OSError if the file cannot be written. The file
    is written completely or not at all.
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):
        fig.savefig(buffer, format=picture_format(path), dpi=DPI)
    return write_whole(path, buffer.getvalue())


def picture_format(path: str | os.PathLike[str]) -> str:
    """Return the format, one of FORMATS, that a file name ends in. Raises ValueError for any other."""
    kind = Path(path).suffix[1:].lower()
    if kind not in FORMATS:
        path = os.fspath(path)
        raise ValueError(f"a figure expected a file name that ends in .png, .svg or .pdf, got {path}")
    return kind


def _columns(rows: Sequence[Row]) -> int:
    if not rows:
        raise ValueError("image_grid expected at least one row, got none")
    columns = len(rows[0].values)
    for row in rows:
        lengths = {len(row.values), len(row.numbers) or len(row.values)}
        if row.values.ndim != 2 or lengths != {columns} or columns == 0:
            raise ValueError(
                f"image_grid expected {columns} examples (C, D) in every row, and as many numbers or none, "
                f"got shape {row.values.shape} and {len(row.numbers)} numbers in row {row.label!r}"
            )
        pixels = row.values.shape[1]
        if not row.bars and round(pixels**0.5) ** 2 != pixels:
            raise ValueError(f"image_grid expected square images, got {pixels} pixels in row {row.label!r}")
    return columns


def _label_width(rows: Sequence[Row]) -> float:
    """The width of the widest label of an image_grid, in inches."""
    fig = new_figure(1)
    labels = [fig.text(0, 0, row.label, fontsize=9.5) for row in rows]
    return max(label.get_window_extent().width for label in labels) / fig.dpi


def _axes(fig: Figure, count: int) -> list[Any]:
    axes = list(fig.subplots(1, count, squeeze=False)[0])
    for ax in axes:
        for side in ax.spines.values():
            side.set_color("#bbbbbb")
        ax.tick_params(color="#bbbbbb", labelcolor=TEXT, labelsize=9)
    return axes


def _spread(places: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """Move label positions (N, 2) apart until none overlaps; extent (2,) is the size of the plane."""
    scale = np.where(extent > 0, extent, 1)
    moved = places / scale
    for _ in range(50):
        for i, j in combinations(range(len(moved)), 2):
            difference = moved[i] - moved[j]
            distance = np.hypot(*difference)
            if distance < 0.055:
                away = difference / distance if distance > 0 else np.array([1.0, 0.0])
                moved[i] += 0.25 * (0.055 - distance) * away
                moved[j] -= 0.25 * (0.055 - distance) * away
    return moved * scale


def _label(ax: Any, xlabel: str, ylabel: str) -> None:
    ax.set_xlabel(xlabel, fontsize=10, color=TEXT)
    ax.set_ylabel(ylabel, fontsize=10, color=TEXT)
    ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _plot_image(ax: Any, pixels: np.ndarray) -> None:
    side = round(len(pixels) ** 0.5)
    ax.imshow(pixels.reshape(side, side), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()


def _plot_bars(ax: Any, code: np.ndarray, largest: float) -> None:
    colours = np.where(code >= 0, LINES[0][0], LINES[1][0])
    ax.bar(range(len(code)), code, width=0.8, color=colours)
    ax.axhline(0, color="#bbbbbb", linewidth=0.6)
    ax.set_xlim(-0.7, len(code) - 0.3)
    ax.set_ylim(-largest, largest)
    ax.set_axis_off()
