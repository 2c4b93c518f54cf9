"""In a GAN, D approaches p / (p + q), and q approaches p.

The data have two overlapping modes. The generator maps z ~ N(0, 1) to numbers with density q. The learned
D(x) is plotted with D* = p / (p + q), the best discriminator for the current generator:

    (a) the start: D has had 10 updates           (b) D trained, G fixed: D lies on D*
    (c) G trained, D fixed: G climbs D's slope    (d) after thousands of rounds: q = p, and D is 1/2

The JSD falls from 0.66, nearly log 2, to 0.001, and D(G(z)) approaches 1/2. The JSD also rises sometimes: at
the end of (c), G follows the gradient of a D that is out of date. Saves the figure four_panels.png and the
animation four_panels.gif.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments.gan_moments import ARROWS, DATA, GRID, NAMES, Moment, train

from ..common import film as save_film
from ..common import print_table, run, save, tidy

BLUE, ORANGE, GREEN = (colour for colour, _ in plots.LINES[:3])


def main(out: Path, *, rounds: int = 8000, frames: int = 60, seed: int = 1) -> dict[str, Any]:
    """Train a GAN, and plot it at four moments.

    rounds : of joint training between (c) and (d), one update of each net a round
    frames : of the animation
    """
    moments, film = train(rounds, frames, seed)
    table = {name: moment.numbers() for name, moment in zip(NAMES, moments, strict=True)}
    mean = float(DATA.weights @ DATA.means[:, 0])
    std = float(DATA.weights @ (DATA.stds**2 + (DATA.means[:, 0] - mean) ** 2)) ** 0.5
    formats = {"JSD": ".4f"} | dict.fromkeys(("|D - D*|", "D(G(z))", "D*(G(z))", "mean", "std"), ".3f")
    print_table(table | {"the data": {"mean": mean, "std": std}}, formats=formats)
    rises = sum(b.jsd > a.jsd for a, b in pairwise(film))
    folds = sum(moment.folds for moment in film)
    print(f"log 2 = {math.log(2):.4f}; JSD rose {rises} of {len(film) - 1} times along the animation")
    print(f"G is not monotonic at {folds} of {len(film)} moments")
    picture = save(draw(moments, film), out / "four_panels.png")
    return {"table": table, "figure": picture, "animation": animate(film, out / "four_panels.gif")}


def draw(moments: list[Moment], film: list[Moment]) -> Figure:
    """Plot the four moments, and below them JSD and D(G(z)) against the number of updates."""
    fig = plots.new_figure(6.2, title="Four moments of a GAN on a line")
    above, below = fig.subfigures(2, 1, height_ratios=(3.4, 2.4), squeeze=False)[:, 0]
    for ax, name, moment in zip(above.subplots(1, 4), NAMES, moments, strict=True):
        draw_moment(ax, moment, f"{name}\nJSD {moment.jsd:.3f}, D(G(z)) {moment.d_fake:.2f}")
    handles = above.axes[0].get_lines()[:4]
    labels = ["p, data", "q, generated", "D", "D* = p / (p + q)"]
    above.legend(handles, labels, ncols=4, loc="outside lower center", frameon=False, fontsize=9)
    ax = below.subplots()
    draw_course(ax, film)
    for mark, moment in zip("abcd", moments, strict=True):
        ax.axvline(moment.step, color=plots.GREY, linewidth=0.8, linestyle=":")
        side = {"b": "right", "c": "left"}.get(mark, "center")
        ax.text(moment.step, 1.03, f"({mark})", ha=side, fontsize=9, color=plots.TEXT)
    return fig


def draw_moment(ax: Axes, moment: Moment, title: str) -> None:
    """Plot the densities and D, and below them arrows from the axis of z to that of x."""
    ax.plot(GRID.x, GRID.p, color=BLUE, linewidth=1.8)
    ax.plot(GRID.x, np.minimum(moment.q, 3), color=ORANGE, linewidth=1.8)
    ax.plot(GRID.x, moment.d, color=plots.TEXT, linewidth=1.4)
    ax.plot(GRID.x, moment.best, color=GREEN, linewidth=1.4, linestyle="--")
    z = ARROWS + 1.5                                # below the middle of the axis of x
    from_z, to_x = np.full_like(z, -0.62), np.full_like(z, -0.15)
    ax.plot([z, moment.tips], [from_z, to_x], color=plots.GREY, linewidth=0.6)
    ax.plot(moment.tips, to_x, "^", color=plots.GREY, markersize=3.5, markeredgewidth=0)
    for height, name in ((-0.12, "x"), (-0.62, "z")):
        ax.axhline(height, color=plots.TEXT, linewidth=0.8)
        ax.text(5.0, height + 0.03, name, fontsize=9, color=plots.TEXT)
    ax.set(xlim=(-2, 5.2), ylim=(-0.7, 1.3), xticks=[0, 2, 4], yticks=[0, 0.5, 1])
    tidy(ax, title, grid=False, size=9)


def draw_course(ax: Axes, film: list[Moment]) -> None:
    """Plot JSD and D(G(z)) against the number of updates, linear until 200 and logarithmic after it."""
    steps = [moment.step for moment in film]
    ax.plot(steps, [moment.jsd for moment in film], color=BLUE, linewidth=2, label="JSD(p, q), nats")
    ax.plot(steps, [moment.d_fake for moment in film], color=ORANGE, linewidth=1.6, label="mean of D(G(z))")
    ax.axhline(0.5, color=plots.GREY, linewidth=0.8, linestyle="--")
    tidy(ax, xlabel="updates: of one net until (c), of both after it", grid=False)
    ax.set_xscale("symlog", linthresh=200)
    ticks = [0, 100, 200, 500, 1000, 2000, 5000, 10000]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlim=(-5, steps[-1] * 1.1), ylim=(0, 1))
    ax.legend(frameon=False, fontsize=9, loc="upper right", bbox_to_anchor=(0.98, 0.95))


def animate(film: list[Moment], path: Path) -> Path:
    """Save the moments as a looping GIF."""

    def frame(fig: Figure, moment: Moment) -> None:
        top, bottom = fig.subplots(2, 1, height_ratios=(3, 1.5))
        title = f"update {moment.step:,}: JSD {moment.jsd:.3f}, D(G(z)) {moment.d_fake:.2f}"
        draw_moment(top, moment, title)
        draw_course(bottom, film)
        bottom.axvline(moment.step, color=plots.TEXT, linewidth=1)

    return save_film(path, frame, film)


if __name__ == "__main__":
    run(main)
