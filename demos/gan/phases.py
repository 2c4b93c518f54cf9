"""A GAN learns by alternating updates, not by long phases.

GAN training is often described as two phases that repeat. Here, a GAN on a line is trained in such phases,
with the same total number of updates (studies/experiments/alternating_phases.py):

    whole phases    G until the mean of D(G(z)) is 1/2, then D until its value is nearly the highest possible
    G to the end    the same, but G always makes 400 updates, so it does not stop at 1/2
    one by one      one update of each in turn

Look at the upper curves. With whole phases, the JSD falls slowly and sometimes rises again: it is 0.69 at the
start, 0.45 after five phases of G, 0.1 to 0.2 after ten, then 0.04 to 0.17. (A threshold ends a phase, so
from about the sixth phase on, the numbers depend on the BLAS's rounding.) "G to the end" collapses to a std
of about 0.1 (the data's is 0.5), at a position that keeps changing. "One by one" reaches 0.003.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments.alternating_phases import SCHEDULES, State, last_quarter, train

from ..common import print_table, run, save, tidy


def main(out: Path, *, updates: int = 6000, seed: int = 1) -> dict[str, Any]:
    """Train a GAN with each schedule.

    updates : of both nets together, with each schedule
    """
    runs = {schedule: train(schedule, updates, seed) for schedule in SCHEDULES}
    for schedule in SCHEDULES[:2]:
        ends = [state for state in runs[schedule] if state.phase == "G"]
        numbers = sorted({1, 2, 3, 5, 10, 20, len(ends)})
        rows = {f"phase {n}": row(ends[n - 1]) for n in numbers if 0 < n <= len(ends)}
        if rows:
            title = f"{schedule}: at the end of phases of G (data: mean 3, std 0.5)"
            print_table(rows, title, {"JSD": ".4f", "std": ".3f", "D(G(z))": ".3f"})
    table = {schedule: last_quarter(states) for schedule, states in runs.items()}
    formats = dict.fromkeys(("JSD: lowest", "JSD: mean", "JSD: highest"), ".4f")
    formats |= dict.fromkeys(("std: lowest", "std: highest"), ".3f")
    print_table(table, f"The last quarter of {updates:,} updates", formats)
    return {"table": table, "runs": runs, "figure": save(draw(runs), out / "phases.png")}


def row(state: State) -> dict[str, float]:
    return {
        "updates": state.step,
        "JSD": state.jsd,
        "mean": state.mean,
        "std": state.std,
        "D(G(z))": state.d_fake,
    }


def draw(runs: dict[str, list[State]]) -> Figure:
    """Plot JSD against the number of updates, and D(G(z)) in the first whole phases, those of G in grey."""
    fig = plots.new_figure(6.4, title="Whole phases against single updates")
    above, below = fig.subplots(2, 1)
    for (colour, _), (schedule, states) in zip(plots.LINES, runs.items(), strict=False):
        steps = [state.step for state in states]
        above.semilogy(steps, [state.jsd for state in states], color=colour, linewidth=1.3, label=schedule)
    tidy(above, "JSD(p, q), nats")
    above.legend(frameon=False, fontsize=9.5, loc="lower left")
    states = runs[SCHEDULES[0]]
    early = [state for state in states if state.step <= states[-1].step / 5]
    steps = [state.step for state in early]
    below.plot(steps, [state.d_fake for state in early], color=plots.LINES[0][0], linewidth=1.6)
    for start, end in pairwise(state for state in early if state.phase):
        if end.phase == "G":
            below.axvspan(start.step, end.step, color="#e5e5e5", linewidth=0)
    below.axhline(0.5, color=plots.TEXT, linewidth=0.8, linestyle="--")
    below.set_ylim(0, 1)
    title = "whole phases, the first fifth: mean of D(G(z)); grey: phases of G"
    tidy(below, title, "updates of both nets together")
    return fig


if __name__ == "__main__":
    run(main)
