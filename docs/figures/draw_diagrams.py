"""Draw the diagrams of the chapters, graph.svg, linear_shapes.svg and im2col.svg, in this folder."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

HERE = Path(__file__).resolve().parent
VALUE, GRADIENT, INK, PALE = "#0072B2", "#C44E00", "#333333", "#E8EEF3"
TINTS = ("#CFE3F1", "#F6DCC8", "#D5EBDD")     # x, W, out

matplotlib.rcParams["svg.hashsalt"] = "scratchgen"          # the same script gives the same file


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    """A white figure on which one unit is one inch, with y pointing up."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13, color=color, lw=1.3))


def save(figure: Figure, name: str) -> None:
    figure.savefig(HERE / name, metadata={"Date": None})


def draw_graph() -> Figure:
    """Draw the graph of (w·x + b − t)² with the numbers of the chapter: values above, gradients below."""
    figure, axes = blank(9.2, 3.5)
    nodes = {
        "x": (0.8, 2.75, "2", "12"), "w": (0.8, 1.25, "3", "8"), "w·x": (2.7, 2.0, "6", "4"),
        "b": (2.7, 0.75, "1", "4"), "y": (4.6, 2.0, "7", "4"), "t": (4.6, 0.75, "5", ""),
        "e": (6.5, 2.0, "2", "4"), "L": (8.4, 2.0, "4", "1"),
    }
    for a, b in (("x", "w·x"), ("w", "w·x"), ("w·x", "y"), ("b", "y"), ("y", "e"), ("t", "e"), ("e", "L")):
        (xa, ya, *_), (xb, yb, *_) = nodes[a], nodes[b]
        reach = 0.42 / max(abs(xb - xa), abs(yb - ya))
        arrow(axes, (xa + reach * (xb - xa), ya + reach * (yb - ya)),
              (xb - reach * (xb - xa), yb - reach * (yb - ya)), INK)
    for name, (x, y, value, gradient) in nodes.items():
        box = FancyBboxPatch((x - 0.3, y - 0.2), 0.6, 0.4, boxstyle="round,pad=0.06", fc=PALE, ec=INK, lw=1)
        axes.add_patch(box)
        axes.text(x, y, name, ha="center", va="center", fontsize=13, color=INK)
        axes.text(x, y + 0.4, value, ha="center", va="center", fontsize=13, color=VALUE, weight="bold")
        axes.text(x, y - 0.42, gradient, ha="center", va="center", fontsize=13, color=GRADIENT, weight="bold")
    for x, text in ((3.65, "+"), (5.55, "−"), (7.45, "square"), (1.95, "×")):
        axes.text(x, 2.16 if text != "×" else 2.0, text, ha="center", fontsize=11, color=INK, va="center")
    axes.text(8.9, 3.2, "above: the value, left to right", ha="right", fontsize=12, color=VALUE)
    axes.text(8.9, 0.2, "below: the gradient, right to left", ha="right", fontsize=12, color=GRADIENT)
    return figure


def draw_linear_shapes() -> Figure:
    """Draw the three products of Linear as blocks whose sides stand for N, D and M."""
    figure, axes = blank(12.7, 2.5)
    size = {"N": 0.75, "D": 1.15, "M": 0.55}
    products = (
        ("forward", (("out", "N", "M", 2), ("x", "N", "D", 0), ("W", "D", "M", 1))),
        ("weight", (("dW", "D", "M", 1), ("xᵀ", "D", "N", 0), ("dout", "N", "M", 2))),
        ("input", (("dx", "N", "D", 0), ("dout", "N", "M", 2), ("Wᵀ", "M", "D", 1))),
    )
    for k, (title, blocks) in enumerate(products):
        left = 0.35 + 4.1 * k
        for i, (name, rows, columns, tint) in enumerate(blocks):
            height, width = size[rows], size[columns]
            middle = left + width / 2
            axes.add_patch(Rectangle((left, 1.25 - height / 2), width, height, fc=TINTS[tint], ec=INK, lw=1))
            axes.text(middle, 1.25, name, ha="center", va="center", fontsize=11.5, color=INK)
            axes.text(middle, 0.25, f"({rows}, {columns})", ha="center", fontsize=12, color=INK)
            left += width
            if i < 2:
                axes.text(left + 0.21, 1.25, "=·"[i], ha="center", va="center", fontsize=17, color=INK)
                left += 0.42
        axes.text(0.35 + 4.1 * k, 2.1, title, fontsize=13, color=INK, weight="bold")
    return figure


def draw_im2col() -> Figure:
    """Draw a 4x4 image of one channel, a 2x2 window of stride 2, and the matrix of patches."""
    figure, axes = blank(10.2, 3.4)
    colors = ("#CFE3F1", "#F6DCC8", "#D5EBDD", "#EBDCF0")
    cell = 0.5
    for i in range(4):
        for j in range(4):
            place = 2 * (i // 2) + j // 2
            put(axes, 0.4 + cell * j, 2.2 - cell * i, cell, 4 * i + j + 1, colors[place])
    axes.text(1.4, 0.25, "image, 4 × 4", ha="center", fontsize=12, color=INK)
    arrow(axes, (2.6, 1.7), (3.5, 1.7), INK)
    axes.text(3.05, 1.85, "im2col", ha="center", fontsize=12, color=INK)
    for place in range(4):
        for column in range(4):
            i, j = 2 * (place // 2) + column // 2, 2 * (place % 2) + column % 2
            put(axes, 3.8 + cell * column, 2.2 - cell * place, cell, 4 * i + j + 1, colors[place])
    axes.text(4.8, 0.25, "cols: one patch a row", ha="center", fontsize=12, color=INK)
    axes.text(6.1, 1.7, "·", ha="center", va="center", fontsize=20, color=INK)
    for u in range(4):
        put(axes, 6.4, 2.2 - cell * u, cell, f"w{u + 1}", "white")
    axes.text(6.65, 0.25, "W", ha="center", fontsize=12, color=INK)
    axes.text(7.25, 1.7, "=", ha="center", va="center", fontsize=17, color=INK)
    for place in range(4):
        put(axes, 7.6, 2.2 - cell * place, cell, "", colors[place])
        put(axes, 8.75 + cell * (place % 2), 1.95 - cell * (place // 2), cell, "", colors[place])
    axes.text(8.45, 1.7, "→", ha="center", va="center", fontsize=17, color=INK)
    axes.text(8.65, 0.25, "out, 2 × 2", ha="center", fontsize=12, color=INK)
    axes.text(0.4, 3.0, "A 2 × 2 window, stride 2, one channel", fontsize=13, color=INK, weight="bold")
    return figure


def put(axes: Axes, x: float, y: float, cell: float, text: object, color: str) -> None:
    axes.add_patch(Rectangle((x, y), cell, cell, fc=color, ec=INK, lw=0.9))
    axes.text(x + cell / 2, y + cell / 2, str(text), ha="center", va="center", fontsize=11.5, color=INK)


if __name__ == "__main__":
    save(draw_graph(), "graph.svg")
    save(draw_linear_shapes(), "linear_shapes.svg")
    save(draw_im2col(), "im2col.svg")
