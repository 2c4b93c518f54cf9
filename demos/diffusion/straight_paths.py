"""After one reflow, one step samples as well as twenty.

A solver follows straight paths in one step. Flow matching trains on straight lines, but its paths are curved,
because the network learns the mean velocity of the lines that cross. Reflow (Liu et al. 2023) trains a
second network on pairs of a noise and the sample that the first network carries it to. Lines between such
pairs hardly cross.

Look at the columns for 1 and 20 steps: energy distances (PATH.2) to the data, with Euler's method or DDIM. S
is (PATH.1), 0 for straight paths at constant speed. The paths of flow matching are not straighter than those
of diffusion here: half-way they are nearer to the origin than both ends, because a mean of noise and data
varies less than each of them. Divided by their spread (rescaled), they are about as straight. After reflow, S
is nearly 0. The column for 100 steps limits it: the second network cannot be better than the samples of the
first, from which it learns. The last row is the distance of two samples of the data.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import two_moons
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.experiments.paths import (
    Reflow,
    ddim_paths,
    energy_distance,
    excess_length,
    flow_paths,
    straightness,
)
from scratchgen.training import Cosine

from ..common import animated, film, print_table, run, save, tidy

STEPS = {"1 step": 1, "2 steps": 2, "5 steps": 5, "20 steps": 20, "100 steps": 100}
FORMATS = {"S": ".4f", "longer": ".1%"} | dict.fromkeys(STEPS, ".3f")


def main(
    out: Path, *, points: int = 10_000, epochs: int = 60, samples: int = 4000, seed: int = 0
) -> dict[str, Any]:
    """Train three models on `points` examples for `epochs` epochs each, and measure `samples` samples."""
    rng = np.random.default_rng(seed)
    X = two_moons().sample(points, rng=rng).astype(np.float32)
    diffusion, flow, reflow = (kind.dense(2, 64, 2, rng=rng) for kind in (Diffusion, FlowMatching, Reflow))
    settings: dict[str, Any] = {"epochs": epochs, "batch_size": 256, "rng": rng, "lr": Cosine(5e-3)}
    diffusion.fit(X, **settings)
    flow.fit(X, **settings)
    z = flow.prior_sample(points, rng=rng)
    pairs = np.concatenate([z, flow_paths(flow, z, 25)[-1]], axis=1)
    reflow.fit(pairs, **settings)

    test, other = ((two_moons().sample(samples, rng=rng) - flow.shift) / flow.scale for _ in range(2))
    z = flow.prior_sample(samples, rng=rng)
    paths = {
        "diffusion, DDIM": lambda steps: ddim_paths(diffusion, z, steps),
        "flow matching": lambda steps: flow_paths(flow, z, steps, "euler"),
        "reflow": lambda steps: flow_paths(reflow, z, steps, "euler"),
    }
    table, shown = {}, {}
    for name, walk in paths.items():
        fine = walk(100)
        ends = {column: walk(steps)[-1] for column, steps in STEPS.items()}
        table[name] = {"S": straightness(fine), "longer": excess_length(fine)}
        table[name] |= {column: energy_distance(x, test) for column, x in ends.items()}
        shown[name] = fine, ends
    t = np.linspace(0, 1, 101)[:, None, None]
    rescaled = shown["flow matching"][0] / np.sqrt((1 - t) ** 2 + t**2)     # to variance 1 at all times
    table["flow, rescaled"] = {"S": straightness(rescaled), "longer": excess_length(rescaled)}
    floor = energy_distance(other, test)
    table["two samples"] = dict.fromkeys(STEPS, floor)
    print_table(table, "Straightness S, length beyond a line, and energy distance to the data", FORMATS)
    figure = save(draw(shown, table), out / "straight_paths.png")
    found = {"table": table, "floor": floor, "figure": figure}
    fine = {name: walk[::2] for name, (walk, _) in shown.items()}
    return found | ({"animation": animate(fine, out / "straight_paths.gif")} if animated() else {})


def draw(shown: dict[str, Any], table: dict[str, dict[str, float]]) -> Figure:
    """Plot paths, and samples with 1, 2, 5 and 20 steps, one row for each model."""
    title = "Straighter paths need fewer steps (number: energy distance to the data)"
    figure = plots.new_figure(5.2, title=title)
    grid = figure.subplots(len(shown), 5)
    for line, (name, (fine, ends)) in zip(grid, shown.items(), strict=True):
        line[0].plot(fine[:, :40, 0], fine[:, :40, 1], color=plots.GREY, linewidth=0.6)
        line[0].scatter(*fine[-1, :40].T, s=4, color=plots.LINES[0][0], zorder=3)
        tidy(line[0], f"40 paths, S = {table[name]['S']:.2f}", "", name, grid=False, size=9)
        for ax, (column, x) in zip(line[1:], ends.items(), strict=False):
            ax.scatter(*x[:2000].T, s=1, color=plots.LINES[0][0], linewidths=0)
            tidy(ax, f"{column}: {table[name][column]:.3f}", "", grid=False, size=9)
    for ax in grid.flat:
        ax.set(aspect="equal", xlim=(-2.7, 2.7), ylim=(-2.7, 2.7), xticks=[], yticks=[])
    return figure


def animate(walks: dict[str, np.ndarray], path: Path) -> Path:
    """Save the points of all models on their way from noise to data, (T, N, 2), as a GIF."""
    steps = len(next(iter(walks.values())))

    def frame(figure: Figure, i: int) -> None:
        for ax, (name, walk) in zip(figure.subplots(1, len(walks)), walks.items(), strict=True):
            ax.plot(walk[: i + 1, :40, 0], walk[: i + 1, :40, 1], color=plots.GREY, linewidth=0.6)
            ax.scatter(*walk[i, :1000].T, s=2, color=plots.LINES[0][0], linewidths=0, zorder=3)
            tidy(ax, name, f"{i / (steps - 1):.0%} of the way", grid=False)
            ax.set(aspect="equal", xlim=(-2.7, 2.7), ylim=(-2.7, 2.7), xticks=[], yticks=[])

    return film(path, frame, range(steps), size=(8.4, 3.3), fps=12)


if __name__ == "__main__":
    run(main)
