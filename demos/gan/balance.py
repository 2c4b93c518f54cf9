"""A GAN converges most often with a fast discriminator.

The data have two modes on a line. The settings are the number k of D's steps for each step of G, the ratio of
D's learning rate to G's, and whether D has a head start. All make the same total number of updates, so more
steps of D mean fewer of G. Each run ends in one of five ways:

    converged      JSD below 0.03 at the end, and never above 0.06 in the last quarter
    oscillates     below 0.06 at some moment of the last quarter, but not converged
    one mode       a mode has less than a fifth of its share
    D has won      the mean of D(G(z)) is below 0.1 at the end
    far away       none of these; the JSD says how far

Compare the columns. Five steps of D help, although G then makes a third as many updates. If D is as slow as G
or slower, q comes close to p and moves away again, while D(G(z)) stays at 1/2.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments import player_balance as experiment
from scratchgen.studies.experiments.player_balance import GRID, GROUPS, RATIOS, SETTINGS, End, Setting

from ..common import print_table, run, save, tidy

FORMATS = {"JSD: mean": ".4f", "worst": ".4f", "mean JSD": ".4f"}


def main(out: Path, *, updates: int = 3000, seeds: int = 3) -> dict[str, Any]:
    """Train a GAN with each setting.

    updates : of both nets together, after the head start of D
    seeds   : runs of each setting
    """
    grid = {
        setting: [experiment.train(setting, updates, seed) for seed in range(seeds)] for setting in SETTINGS
    }
    table = {title(setting): experiment.summary(ends) for setting, ends in grid.items()}
    print_table(table, f"Runs of each setting: {seeds}", FORMATS)
    groups = {}
    for name, settings in GROUPS.items():
        ends = [end for setting in settings for end in grid[setting]]
        converged = sum(end.verdict == "converged" for end in ends)
        mean = float(np.mean([end.jsd for end in ends]))
        groups[name] = {"mean JSD": mean, "converged": converged, "of": len(ends)}
    print_table(groups, "All runs with a setting in common", FORMATS)
    return {"table": table, "groups": groups, "figure": save(draw(grid), out / "balance.png")}


def title(setting: Setting) -> str:
    return f"ahead {setting.ahead}, k = {setting.k}, ratio {setting.ratio:g}"


def draw(grid: dict[Setting, list[End]]) -> Figure:
    """Plot the density of the data and q of each seed, in a panel for each setting."""
    fig = plots.new_figure(5.8, title="q of every seed against p (grey), for each balance of the players")
    axes = fig.subplots(len(SETTINGS) // len(RATIOS), len(RATIOS), sharex=True, sharey=True)
    for ax, (setting, ends) in zip(axes.flat, grid.items(), strict=True):
        ax.fill_between(GRID.x, GRID.p, color="#dddddd", linewidth=0)
        for (colour, _), end in zip(plots.LINES, ends, strict=False):
            ax.plot(GRID.x, end.q, color=colour, linewidth=1.1)
        jsd = np.mean([end.jsd for end in ends])
        tidy(ax, f"{title(setting)}: JSD {jsd:.3f}", grid=False, size=8.5)
        ax.set(xlim=(-1, 5), ylim=(0, 0.8), yticks=[])
        ax.spines["left"].set_visible(False)
    return fig


if __name__ == "__main__":
    run(main)
