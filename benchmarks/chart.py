"""Make the figures and tables of docs/speed.md from results/bench.json. Missing measurements are left empty.

    python benchmarks/chart.py
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pages
import tables
from measured import RESULTS, read
from PIL import Image
from run import JAX, LIMIT, OURS, PYTORCH

from scratchgen import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHAPTER = Path("docs/speed.md")
BATCH, THREADS = 128, 2         # the setting that the bar chart shows
BEST = "best of PyTorch's ways"
BARS = {                        # contender -> colour, in the order of the bars
    PYTORCH[0]: plots.LINES[1][0],
    BEST: "#e69f00",
    JAX: plots.LINES[2][0],
    OURS: plots.LINES[0][0],
    LIMIT: "#bbbbbb",
}


def bars(r: dict[str, Any]) -> dict[str, float]:
    """The time of each bar as a multiple of ours, from one row of `steps`: the ratios of the table."""
    return {
        PYTORCH[0]: r["against_eager"], BEST: r["against_best"], JAX: r["against_jax"], OURS: 1.0,
        LIMIT: r["limit_share"],
    }  # fmt: skip


def draw_steps(steps: list[dict[str, Any]]) -> Figure | None:
    """Plot a group of bars for each model, as multiples of our time; return None without measurements."""
    rows = tables.one_each([r for r in steps if (r["batch"], r["threads"]) == (BATCH, THREADS)])
    if not rows:
        return None
    figure = plots.new_figure(
        1.3 + 0.72 * len(rows), title=f"A training step of {BATCH} examples on {THREADS} threads, ours = 1"
    )
    ax = figure.subplots()
    height = 0.8 / len(BARS)
    for k, (name, colour) in enumerate(BARS.items()):
        ratios = [bars(r)[name] for r in rows]
        places = [i + (k - (len(BARS) - 1) / 2) * height for i in range(len(rows))]
        ax.barh(places, ratios, height, color=colour, label=name)
        for y, ratio, r in zip(places, ratios, rows, strict=True):
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}
            label = f"{r['ms']:.3g} ms" if name == OURS else f"{ratio:.2f}"
            ax.text(ratio + 0.01, y, label, fontsize=7.5, va="center", color=plots.TEXT, bbox=behind)
    ax.axvline(1, color=plots.TEXT, linewidth=0.8, linestyle=":")
    ax.set_yticks(range(len(rows)), [r["model"] for r in rows], fontsize=10)
    ax.invert_yaxis()
    ax.set_xlim(right=1.12 * max(max(bars(r).values()) for r in rows))
    ax.set_xlabel("time, as a multiple of ours", fontsize=9.5, color=plots.TEXT)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(axis="x", labelsize=9)
    figure.legend(loc="outside lower center", ncols=len(BARS), frameon=False, fontsize=9)
    return figure


def draw_growth(growth: dict[str, Any]) -> Figure:
    """Plot time (top) and memory (bottom) against batch, width and depth, on logarithmic axes."""
    figure = plots.new_figure(6.2, title="How a step of a dense autoencoder grows")
    grid = figure.subplots(2, len(growth["rows"]), sharex="col", sharey="row", squeeze=False)
    for r, column in zip(growth["rows"], grid.T, strict=True):
        for ax, key in zip(column, ("ms", "mb"), strict=True):
            for (colour, marker), (who, found) in zip(plots.LINES, r["contenders"].items(), strict=False):
                if key in found:
                    name = f"{who}, {r['exponents'][who][key]:.2f}"
                    ax.loglog(r["sizes"], found[key], color=colour, marker=marker, markersize=4.5, label=name)
            ax.set_xticks(r["sizes"], [str(size) for size in r["sizes"]], fontsize=8.5)
            ax.minorticks_off()
            ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(axis="y", labelsize=8.5)
            ax.legend(frameon=False, fontsize=7.5, title="and the exponent", title_fontsize=7.5)
        column[1].set_xlabel(r["what"], fontsize=10, color=plots.TEXT)
    for ax, label in zip(grid[:, 0], ("milliseconds", "peak MB above the start"), strict=True):
        ax.set_ylabel(label, fontsize=9.5, color=plots.TEXT)
    return figure


def keep(figure: Figure | None, path: Path) -> None:
    """Save a figure as an image of 256 colours; do nothing for None."""
    if figure is not None:
        plots.save(figure, path)
        with Image.open(path) as image:
            image.convert("RGB").quantize(256).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--chapter", type=Path, default=CHAPTER)
    args = parser.parse_args()
    found = read(args.results)
    pictures = args.chapter.parent / "figures"
    keep(draw_steps(found.get("steps", [])), pictures / "bench.png")
    keep(draw_growth(found["growth"]) if "growth" in found else None, pictures / "growth.png")
    text = tables.fill(args.chapter.read_text(encoding="utf-8"), found)
    args.chapter.write_text(text, encoding="utf-8")
    print(f"{args.chapter} and its figures are up to date with {args.results}")
    if args.chapter == CHAPTER:
        for path in pages.write(args.chapter.parent, found):
            print(f"{path} is up to date with {args.results}")


if __name__ == "__main__":
    main()
