"""Shared code of the demos: training, tables, axes, pictures of digits."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.cli.common import columns
from scratchgen.models import MLPClassifier
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def run(main: Callable[[Path], dict[str, Any]]) -> None:
    """Run a demo as a script: its figures go to gallery/."""
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)


# Training


def epochs_for(shown: int, x: np.ndarray) -> int:
    """The number of passes over x in which a model sees about `shown` examples; at least one."""
    return max(1, round(shown / len(x)))


def train(
    model: Any,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    shown: int,
    lr: float,
    rng: np.random.Generator,
    batch_size: int = 128,
    quiet: bool = False,
) -> float:
    """Fit a model on about `shown` examples, with a one-cycle schedule of peak lr; return the seconds."""
    start = time.perf_counter()
    model.fit(
        x,
        y,
        epochs=epochs_for(shown, x),
        batch_size=batch_size,
        lr=OneCycle(lr),
        rng=rng,
        callbacks=[] if quiet else [ProgressBar()],
    )
    return time.perf_counter() - start


def digit_classifier(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, shown: int = 60_000
) -> MLPClassifier:
    """Train a classifier 784-128-10 on about `shown` digits, which demos use on generated digits."""
    model = MLPClassifier((784, 128, 10), rng=rng)
    train(model, x, y, shown=shown, lr=5e-3, rng=rng, quiet=True)
    return model


def parameter_count(net: Any) -> int:
    """The number of trained numbers in a network."""
    return sum(p.size for p in net.parameters().values())


# Printed text


def say(text: str) -> None:
    """Print a paragraph, wrapped to the terminal. A line break at its start prints an empty line."""
    if text.startswith("\n"):
        print()
    print(textwrap.fill(text.lstrip("\n"), columns()))


def print_table(
    rows: Mapping[str, Mapping[str, Any]], title: str = "", formats: Mapping[str, str] | None = None
) -> None:
    """Print a table: rows[name][column] is a cell, names are in the first column.

    formats : column -> format specification, such as ".1%"; by default ".2f" for floats and "," for integers.
    A header that is wider than its column is broken at spaces. A cell that is missing or None is
    empty. Columns that do not fit on the page follow in a second block of lines.
    """
    formats = formats or {}
    first = max(map(len, rows))
    for widest_header in (14, 10, 0):
        blocks = _blocks(rows, formats, columns() - first, widest_header)
        if len(blocks) == 1:
            break
    print()
    if title:
        say(title)
    for block in blocks:
        height = max(map(len, block))
        names = [*[""] * (height - len(rows)), *rows]
        padded = [[" " * len(column[0])] * (height - len(column)) + column for column in block]
        for name, *line in zip(names, *padded, strict=True):
            print(f"{name:{first}}  {'  '.join(line)}".rstrip())


def _blocks(
    rows: Mapping[str, Mapping[str, Any]], formats: Mapping[str, str], page: int, header_width: int
) -> list[list[list[str]]]:
    """Split columns of padded text, each with its header first, into blocks of at most `page` characters."""
    blocks: list[list[list[str]]] = [[]]
    room = page
    for column in dict.fromkeys(column for row in rows.values() for column in row):
        cells = [_cell(row.get(column), formats.get(column, "")) for row in rows.values()]
        least = max(map(len, [*cells, *column.split()]))
        header = textwrap.wrap(
            column, max(least, header_width), break_long_words=False, break_on_hyphens=False
        )
        width = max(map(len, [*header, *cells]))
        if room < width + 2:
            blocks.append([])
            room = page
        room -= width + 2
        blocks[-1].append([f"{text:>{width}}" for text in [*header, *cells]])
    return blocks


def _cell(value: Any, specification: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    default = "," if isinstance(value, int | np.integer) else ".2f"
    return format(value, specification or default)


# Figures

FRAMES = 25     # of an animation from one digit to another

_format: ContextVar[str | None] = ContextVar("format", default=None)


@contextmanager
def figures_as(name: str | None) -> Iterator[None]:
    """Within this context, save() writes figures in another format, such as "svg"."""
    token = _format.set(name)
    try:
        yield
    finally:
        _format.reset(token)


def save(figure: Figure, path: Path) -> Path:
    """Save a figure, and print its path."""
    if _format.get() == "gif":      # the demo writes its animation itself
        return path
    path = path.with_suffix(f".{_format.get()}") if _format.get() else path
    plots.save(figure, path)
    print(f"\nSaved {path}")
    return path


def animated() -> bool:
    """Whether the demo is asked for its animation, `--format gif`."""
    return _format.get() == "gif"


def film(
    path: Path,
    draw: Callable[[Figure, Any], None],
    moments: Iterable[Any],
    *,
    size: tuple[float, float] = (5.2, 5.0),
    fps: int = 8,
    hold: int = 12,
) -> Path:
    """Save an animation as a looping GIF, and return its path.

    draw : function (figure, moment), called with an empty figure for each of the moments
    size : of the figure, in inches;  fps : frames per second;  hold : how often the last frame is repeated
    """
    from matplotlib.animation import PillowWriter

    figure, writer, moments = plots.new_figure(size[1]), PillowWriter(fps=fps), list(moments)
    figure.set_size_inches(*size)
    with writer.saving(figure, path, dpi=90):
        for moment in [*moments, *[moments[-1]] * hold]:
            figure.clear()
            draw(figure, moment)
            writer.grab_frame()
    return path


def tidy(
    ax: Axes, title: str = "", xlabel: str = "", ylabel: str = "", *, grid: bool = True, size: float = 10
) -> None:
    """Format axes as all demos do: no frame at the top and right, a light grid, small labels."""
    ax.set_title(title, fontsize=size, color=plots.TEXT, linespacing=1.4)
    ax.set_xlabel(xlabel, fontsize=size - 0.5, color=plots.TEXT)
    ax.set_ylabel(ylabel, fontsize=size - 0.5, color=plots.TEXT)
    ax.tick_params(labelsize=size - 1)
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.set_axisbelow(True)


def plot_lines(ax: Axes, curves: Mapping[str, tuple[Any, Any]], **style: Any) -> None:
    """Plot name -> (x, y), each line with a different colour and marker."""
    style = {"markersize": 5, "linewidth": 1.8} | style
    for (colour, marker), (name, (x, y)) in zip(plots.LINES, curves.items(), strict=False):
        ax.plot(x, y, color=colour, marker=marker, label=name, **style)


def film_of_images(path: Path, images: Mapping[str, np.ndarray]) -> Path:
    """Save an animation of several series of digits, title -> (frames, 784), there and back."""

    def frame(figure: Figure, i: int) -> None:
        axes = figure.subplots(1, len(images), squeeze=False)[0]
        for ax, (title, series) in zip(axes, images.items(), strict=True):
            show_image(ax, series[i], title)

    there = range(len(next(iter(images.values()))))
    size = (1.7 * len(images), 2.2)
    return film(path, frame, [*there, *reversed(there)], size=size, fps=12, hold=4)


def show_image(ax: Axes, pixels: np.ndarray, title: str = "") -> None:
    """Draw a grey image with intensities in [0, 1]: (784,) as 28×28, or (H, W)."""
    image = pixels.reshape(28, 28) if pixels.ndim == 1 else pixels
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(title, fontsize=10, color=plots.TEXT)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def mosaic(pictures: np.ndarray, rows: int) -> np.ndarray:
    """Join digits (N, 784) to one image with the given number of rows."""
    return pictures.reshape(rows, -1, 28, 28).swapaxes(1, 2).reshape(rows * 28, -1)


def show_rows(ax: Axes, rows: Mapping[str, np.ndarray], title: str = "") -> None:
    """Draw rows of digits, label -> (N, 784), with the labels at the left."""
    show_image(ax, mosaic(np.concatenate(list(rows.values())), len(rows)), title)
    ax.set_yticks([28 * i + 13.5 for i in range(len(rows))], list(rows), fontsize=9.5)
    ax.tick_params(length=0)


# Digits


def first_of_each_digit(y: np.ndarray) -> np.ndarray:
    """The index of the first 0, the first 1 and so on, (10,)."""
    return np.array([np.flatnonzero(y == k)[0] for k in range(10)])
