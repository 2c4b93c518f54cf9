"""Single updates in turn work, whole phases do not.

GAN training is often told as a story of two phases that repeat. Here they are taken literally, on a line,
with the same number of updates in all (studies/experiments/alternating_phases.py):

    whole phases    G until the mean of D(G(z)) is 1/2, then D until its value is nearly the highest possible
    G to the end    the same, but G goes on for 400 updates: nothing stops it at 1/2 while D is fixed
    one by one      one update of each in turn

Look at the upper curves. Whole phases bring q closer, but slowly and with relapses: JSD 0.69, 0.45 after five
phases of G, 0.1 to 0.2 after ten, then 0.04 to 0.17. (A threshold ends a phase, so from about the sixth on
the numbers depend on how the BLAS rounds.) G to the end collapses to a std of about 0.1 (the data's is 0.5)
and chases D from place to place. One by one comes to 0.003.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments.alternating_phases import SCHEDULES, State, last_quarter, train

from ..common import print_table, run, save, tidy


def main(out: Path, *, updates: int = 6000, seed: int = 1) -> dict[str, Any]:
    """Train with each schedule.

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
    """JSD by the number of updates; and D(G(z)) through the first whole phases, those of G in grey."""
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
