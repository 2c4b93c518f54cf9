"""The value of a discriminator bounds the JSD from below.

With D* = p / (p + q) the value of the game is V = 2·JSD(p, q) − 2·log 2, and any other D has a lower one.
The two sides are computed in different ways: the JSD by quadrature over two known densities, V by the
library's loss.

The left plot shows the gap of a network that learns from new samples: V approaches the bound from below. The
right plot shows D trained on a few fixed samples: its V on them is higher than that of D*. So the bound holds
only for samples that D has not memorised.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments import discriminator_value as experiment

from ..common import plot_lines, print_table, run, save, tidy

FEW = (30, 100, 300, 1000, 3000)        # samples of each density to memorise


def main(out: Path, *, updates: int = 2000, seed: int = 1) -> dict[str, Any]:
    """Train a discriminator on each pair of densities, and on few samples of one of them.

    updates : of each discriminator
    """
    rng = np.random.default_rng(seed)
    table, courses = {}, {}
    for name, pair in experiment.PAIRS.items():
        highest = experiment.highest_value(pair)
        steps, values = experiment.learn(pair, updates, rng)
        gaps = [highest - value for value in values]
        courses[name] = steps, gaps
        table[name] = {
            "2·JSD - 2·log 2": highest,
            "V(D*)": experiment.value_of_best(pair),
            "V of trained D": values[-1],
            "gap at the end": gaps[-1],
            "least gap": min(gaps),
        }
    columns = next(iter(table.values()))
    print_table(table, "The value of the best and of a trained discriminator", dict.fromkeys(columns, ".6f"))

    pair = experiment.PAIRS["1 apart"]
    highest = experiment.highest_value(pair)
    memorised = {}
    for n in FEW:
        own, everywhere = experiment.memorise(pair, n, updates, rng)
        memorised[f"{n:,} samples"] = {"on these samples": own, "on all": everywhere - highest}
    title = "V(D) - V(D*) after training on the same few samples of each density, 1 apart"
    print_table(memorised, title, {"on these samples": "+.4f", "on all": "+.4f"})
    picture = save(draw(courses, memorised), out / "cross_entropy_jsd.png")
    return {"table": table, "memorised": memorised, "figure": picture}


def draw(courses: dict[str, tuple[list[int], list[float]]], memorised: dict[str, dict[str, float]]) -> Figure:
    """Plot the gap against updates on logarithmic axes, and V(D) − V(D*) of memorised samples."""
    fig = plots.new_figure(4.6, title="The value of a discriminator against 2·JSD − 2·log 2")
    left, right = fig.subplots(1, 2)
    plot_lines(left, courses, markersize=4)
    left.set(xscale="log", yscale="log")
    tidy(left, "D learns from fresh samples: the gap", "updates of D", "2·JSD − 2·log 2 − V(D), nats")
    left.legend(frameon=False, fontsize=8.5, loc="upper right")
    names = ("on these samples", "on all")
    plot_lines(right, {name: (FEW, [row[name] for row in memorised.values()]) for name in names})
    right.axhline(0, color=plots.TEXT, linewidth=1, linestyle="--")
    tidy(right, "D memorises a few: V(D) − V(D*)", "samples of each density")
    right.set_xscale("log")
    right.set_xticks(FEW, [f"{n:,}" for n in FEW])
    right.minorticks_off()
    right.legend(frameon=False, fontsize=9.5)
    return fig


if __name__ == "__main__":
    run(main)
