"""Far from the data, minimax has almost no gradient.

The first generator is x = z + d, at a distance d from the data, which are N(0, 1). The gradient of d depends
on the loss. Minimax with the best D has the slope of 2·JSD, which vanishes as e^(−d²/8). The gradient of the
non-saturating loss is d with the best D. With a learned D, it is at most 2, and falls from d = 4 on, where
the learned D is flat. The gradient of a Wasserstein critic is about 1 at any distance, and its loss estimates
d.
(Both are slightly high, by a fraction d/2λ, with the penalty's weight λ = 30. For d ≥ 8, few samples are
where the best D is uncertain.)

The second generator is a network. The right plot shows the norm of its first gradient after D was trained
alone. The last table continues the training from there. With plain gradient descent, a generator with the
minimax loss does not move. Adam divides a gradient by its size, so a small gradient with the right direction
is sufficient.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments import generator_gradients as experiment
from scratchgen.studies.experiments.generator_gradients import LOSSES, UPDATES

from ..common import plot_lines, print_table, run, save, tidy


def main(
    out: Path,
    *,
    distances: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0),
    updates: int = 700,
    rounds: int = 1500,
    seeds: int = 3,
    seed: int = 1,
) -> dict[str, Any]:
    """Measure the gradients of both generators.

    distances : d of the first generator
    updates : number of updates of a discriminator or critic, for each distance
    rounds : number of rounds of joint training, after D was trained alone
    seeds : number of runs whose first gradients are averaged
    """
    rng = np.random.default_rng(seed)
    gradients = {f"d = {d:g}": experiment.by_distance(d, updates, rng) for d in distances}
    columns = list(next(iter(gradients.values())))
    formats = dict.fromkeys(columns[:6], ".1e") | {"JSD": ".4f"}
    print_table(gradients, "Gradient of the shift d, of N(d, 1) towards N(0, 1)", formats)

    norms = {loss: dict(zip(UPDATES, experiment.first_norms(loss, seeds), strict=True)) for loss in LOSSES}
    title = "Norm of the first gradient of a generator 1-16-16-1, by the updates of D alone before it"
    rows = {loss: {f"{n:,}": value for n, value in row.items()} for loss, row in norms.items()}
    print_table(rows, title, dict.fromkeys(rows[LOSSES[0]], ".0e"))

    ends = {
        f"{method}, {objective}": experiment.train_on(objective, method, rounds, seed)
        for method in ("SGD", "Adam")
        for objective in LOSSES[:2]
    }
    title = f"{UPDATES[-1]:,} updates of D alone, then {rounds:,} rounds; data of mean 3 and std 0.5"
    print_table(ends, title, dict.fromkeys(("mean of G(z)", "std of G(z)"), ".3f"))
    picture = save(draw(gradients, norms), out / "saturation.png")
    return {"distances": gradients, "norms": norms, "ends": ends, "figure": picture}


def draw(gradients: dict[str, dict[str, float]], norms: dict[str, dict[int, float]]) -> Figure:
    """Plot the gradient against the distance, and the norm of G's first gradient against D's updates."""
    fig = plots.new_figure(4.6, title="The gradient of a generator: minimax, non-saturating, Wasserstein")
    left, right = fig.subplots(1, 2)
    rows = list(gradients.values())
    distances = [row["distance"] for row in rows]
    best = [[row[f"{loss}: best D"] for row in rows] for loss in LOSSES[:2]]
    for (colour, _), values in zip(plots.LINES, [*best, np.ones(len(rows))], strict=False):
        left.plot(distances, values, color=colour, linewidth=1.2, linestyle="--")
    learned = dict(zip(LOSSES, (f"{LOSSES[0]}: learned D", f"{LOSSES[1]}: learned D", "critic: gradient"),
                       strict=True))  # fmt: skip
    plot_lines(left, {loss: (distances, [row[column] for row in rows]) for loss, column in learned.items()})
    left.set_yscale("log")
    left.set_ylim(1e-8, 1e2)
    tidy(left, "gradient of d, N(d, 1) to N(0, 1); dashed: best D", "d")
    left.legend(frameon=False, fontsize=9, loc="lower left")
    plot_lines(right, {loss: (range(len(UPDATES)), list(row.values())) for loss, row in norms.items()})
    right.set_yscale("log")
    tidy(right, "norm of a network G's first gradient", "updates of D (or of the critic) before it")
    right.set_xticks(range(len(UPDATES)), [f"{n:,}" for n in UPDATES])
    right.minorticks_off()
    return fig


if __name__ == "__main__":
    run(main)
