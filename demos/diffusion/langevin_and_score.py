"""A network that removes noise has learned the score.

The score, the gradient of log p(x), is learned from noisy points without a look at the density. Here the data
is a mixture of three Normals, so the exact score is known. The table compares both at several noise levels.
The denoising loss, which is trained, cannot reach zero: "left at best" remains for the exact score as well.
What counts is "explicit", the distance from the exact score, and "error", this distance divided by its size.

The score alone draws samples, by Langevin dynamics with noise levels from much to little. The path shows it
for one point: it crosses from mode to mode while there is much noise, and settles when there is little. The
bars compare the shares of the modes with those of Langevin dynamics that has little noise from the start.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import GaussianMixture
from scratchgen.models import Diffusion
from scratchgen.studies.experiments import score_matching as experiment
from scratchgen.training import Cosine

from ..common import animated, film, print_table, run, save, tidy

STEPS = 100
LEVELS = (8, 25, 50, 75, 95)
SHOWN = 50          # the noise level of the arrows
DATA = GaussianMixture([0.6, 0.3, 0.1], [[-2.0, -1.0], [2.0, -1.5], [0.5, 2.0]], [0.35, 0.35, 0.35])


def main(
    out: Path, *, points: int = 6000, epochs: int = 60, samples: int = 4000, seed: int = 0
) -> dict[str, Any]:
    """Learn the score from `points` points, compare it with the exact one, and draw `samples` samples."""
    rng = np.random.default_rng(seed)
    X = DATA.sample(points, rng=rng).astype(np.float32)
    model = Diffusion.dense(2, 64, 2, steps=STEPS, rng=rng)
    model.fit(X, epochs=epochs, rng=rng, lr=Cosine(5e-3))
    losses = {f"t = {t}": experiment.score_matching_losses(DATA, model, t, 20_000, rng) for t in LEVELS}
    formats = {"error": ".1%", "explicit": ".3f", "denoising": ".2f", "left at best": ".2f"}
    print_table(losses, f"The learned score at some of {STEPS} noise levels", formats)

    drawn = {
        "data": X,
        "ancestral": model.sample(samples, rng=rng),
        "Langevin, 20 levels": model.langevin(samples, rng=rng),
        "Langevin, 1 level": model.langevin(samples, rng=rng, noise_levels=1, steps=400),
    }
    shares = {name: experiment.shares_of_parts(DATA, x) for name, x in drawn.items()}
    rows = {name: {f"mode {k + 1}": share[k] for k in range(3)} for name, share in shares.items()}
    print_table(rows, "Share of the samples at each mode", dict.fromkeys(rows["data"], ".1%"))
    wrong = {name: float(np.abs(share - DATA.weights).sum() / 2) for name, share in shares.items()}
    for name, share in wrong.items():
        print(f"{name}: {share:.1%} of the points would have to move to another mode")
    path = experiment.langevin_path(model, rng.standard_normal((1, 2)), range(80, 0, -4), 10, rng)[:, 0]
    figure = draw(model, X, path, losses[f"t = {SHOWN}"]["error"], shares)
    picture = save(figure, out / "langevin_and_score.png")
    found = {"losses": losses, "wrong": wrong, "figure": picture}
    if animated():
        found["animation"] = animate(model, X, path, out / "langevin_and_score.gif")
    return found


def draw(
    model: Diffusion, X: np.ndarray, path: np.ndarray, error: float, shares: dict[str, np.ndarray]
) -> Figure:
    """Plot both scores as arrows, paths of Langevin dynamics, and the shares of the modes."""
    figure = plots.new_figure(3.9, title="A network that removes noise has learned the score")
    arrows, walk, bars = figure.subplots(1, 3, width_ratios=(1, 1.12, 1.3))
    axes = np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-3, 3, 13))
    grid = np.stack(axes, axis=-1).reshape(-1, 2)
    exact = experiment.exact_score(DATA, model, grid, SHOWN)
    learned = model.score(grid.astype(np.float32), SHOWN)
    style = {"angles": "xy", "scale_units": "xy", "scale": 8, "zorder": 3}
    arrows.quiver(*grid.T, *exact.T, color="#b0b0b0", width=0.014, label="exact", **style)
    arrows.quiver(*grid.T, *learned.T, color=plots.LINES[0][0], width=0.005, label="learned", **style)
    tidy(arrows, f"score at t = {SHOWN}: error {error:.1%}", grid=False)
    data = (X[:1500] - model.shift) / model.scale
    walk.scatter(*data.T, s=2, color="#c9c9c9", linewidths=0)
    walk.plot(*path.T, color=plots.GREY, linewidth=0.4)
    points = walk.scatter(*path.T, s=7, c=np.repeat(range(80, 0, -4), 10), cmap="viridis", zorder=3)
    figure.colorbar(points, ax=walk, shrink=0.75, label="noise level t")
    tidy(walk, f"one path of {len(path)} Langevin steps", grid=False)
    for ax in (arrows, walk):
        ax.set(aspect="equal", xlim=(-2.5, 2.5), ylim=(-3.5, 3.5), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    arrows.legend(frameon=False, fontsize=8.5, loc="upper center", ncols=2, bbox_to_anchor=(0.5, 0.04))
    for i, (name, share) in enumerate(shares.items()):
        colour = "#b0b0b0" if name == "data" else plots.LINES[i - 1][0]
        bars.bar(np.arange(3) + 0.2 * (i - 1.5), 100 * share, width=0.18, color=colour, label=name)
    tidy(bars, "share of the samples at each mode", "mode", "percent")
    bars.set_xticks(range(3), list("123"))
    bars.set_ylim(0, 85)
    bars.legend(frameon=False, fontsize=8.5, loc="upper right")
    return figure


def animate(model: Diffusion, X: np.ndarray, walk: np.ndarray, path: Path) -> Path:
    """Save the path of Langevin dynamics, ten steps at each noise level, as a GIF."""
    data = (X[:1500] - model.shift) / model.scale

    def frame(figure: Figure, i: int) -> None:
        ax, level = figure.subplots(), 80 - 4 * ((i - 1) // 10)
        ax.scatter(*data.T, s=2, color="#c9c9c9", linewidths=0)
        ax.plot(*walk[:i].T, color=plots.GREY, linewidth=0.5)
        ax.plot(*walk[i - 1], "o", color=plots.LINES[0][0], markersize=6)
        tidy(ax, f"Langevin dynamics: step {i} of {len(walk)}, noise level t = {level}", grid=False)
        ax.set(aspect="equal", xlim=(-3.5, 3.5), ylim=(-4, 4), xticks=[], yticks=[])

    return film(path, frame, range(1, len(walk) + 1, 3), size=(4.4, 5.4), fps=12)


if __name__ == "__main__":
    run(main)
