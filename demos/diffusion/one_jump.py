"""One jump adds the same noise as all the small steps.

Diffusion adds noise in T small steps (SCHED.1). Training never takes these steps. It draws the noisy x_t of
any step in one jump (SCHED.2). The chapter derives this for the mean, the variance and the Normal shape. Here
many chains take every step, from one pixel x_0. Mean, standard deviation, skewness, kurtosis and the whole
distribution function (Kolmogorov-Smirnov) are compared with those of the jump. Each difference is divided by
its standard error, which follows from the number of chains. The last column is the largest of the five.

It should be below about 3, and is. In the last row, at t = T/4, the chain forgets the factor √(1 − β), and
the comparison notices. The pictures show a digit that gets noisier in both ways.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models.diffusion.schedule import SCHEDULES, NoiseSchedule
from scratchgen.studies.experiments.aggregate_posterior import kolmogorov_smirnov

from ..common import first_of_each_digit, print_table, run, save, say, show_image, tidy

X0 = 1.0                                # a white pixel, on the scale [−1, 1]
SHARES = (0.1, 0.25, 0.5, 1)            # of the T steps, at which chain and jump are compared
PICTURES = (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1)
FORMATS = {"KS": ".3f", "skewness": ".3f", "kurtosis": ".3f", "off by": ".1f"}


def main(out: Path, *, chains: int = 20_000, steps: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Run `chains` chains of `steps` steps from one pixel, and one from each pixel of a digit."""
    rng = np.random.default_rng(seed)
    digits = load_digits()
    image = 2.0 * digits.x_test[first_of_each_digit(digits.y_test)[3]] - 1
    table, curves, pictures = {}, {}, {}
    for kind in SCHEDULES:
        noise = NoiseSchedule(steps, kind)
        states = chain(np.full(chains, X0), noise, rng)
        for t in (round(steps * share) for share in SHARES):
            table[f"{kind}, t = {t}"] = compare(states[t], noise.a[t] * X0, noise.s[t])
        curves[kind] = noise, [(x.mean(), x.std()) for x in states[:: max(1, steps // 20)]]
        pixels, shown = chain(image, noise, rng), [round(steps * share) for share in PICTURES]
        pictures[f"{kind}\nstep by step"] = {t: pixels[t] for t in shown}
        jumps = {t: noise.a[t] * image + noise.s[t] * rng.standard_normal(image.shape) for t in shown}
        pictures[f"{kind}\none jump"] = jumps                               # (SCHED.2)
    noise, t = NoiseSchedule(steps, "linear"), steps // 4
    wrong = chain(np.full(chains, X0), noise, rng, shrink=False)[t]
    mistake = compare(wrong, noise.a[t] * X0, noise.s[t])
    largest = max(row["off by"] for row in table.values())
    rows = {**table, "linear, no factor": mistake}
    title = f"x_t of {chains:,} chains from x_0 = {X0:g}. Off by: the largest difference, in standard errors"
    print_table(rows, title, FORMATS)
    say(
        f"\nOf {5 * len(table)} statistics, the worst is off by {largest:.1f} standard errors, "
        f"and by {mistake['off by']:.0f} without the factor."
    )
    figure = save(draw(curves, pictures), out / "one_jump.png")
    return {"table": table, "mistake": mistake, "largest": largest, "figure": figure}


def chain(x: np.ndarray, noise: NoiseSchedule, rng: np.random.Generator, shrink: bool = True) -> np.ndarray:
    """The states x_0 … x_T of chains that start at x (N,), (T + 1, N)."""
    states = np.empty((noise.steps + 1, len(x)), np.float32)
    states[0] = x
    for t in range(1, noise.steps + 1):
        factor = np.sqrt(1 - noise.beta[t]) if shrink else 1.0
        x = factor * x + np.sqrt(noise.beta[t]) * rng.standard_normal(len(x))   # (SCHED.1)
        states[t] = x
    return states


def compare(x: np.ndarray, mean: float, std: float) -> dict[str, float]:
    """Statistics of x (N,), and their largest distance from those of N(mean, std²) in standard errors."""
    n, z = len(x), (x.astype(np.float64) - mean) / std      # N(0, 1), if chain and jump agree
    centred = (z - z.mean()) / z.std()
    skewness, kurtosis = (centred**3).mean(), (centred**4).mean() - 3
    ks = kolmogorov_smirnov(z[:, None])
    deviations = (
        z.mean() * n**0.5, (z.std() - 1) * (2 * n) ** 0.5, skewness * (n / 6) ** 0.5,
        kurtosis * (n / 24) ** 0.5, (ks * n**0.5 - 0.87) / 0.26,    # mean and spread of Kolmogorov's law
    )  # fmt: skip
    return {
        "mean": float(x.mean()), "jump": float(mean), "std": float(x.std()), "jump's std": float(std),
        "skewness": float(skewness), "kurtosis": float(kurtosis), "KS": ks,
        "off by": float(np.abs(deviations).max()),
    }  # fmt: skip


def draw(curves: dict[str, Any], pictures: dict[str, dict[int, np.ndarray]]) -> Figure:
    """Plot a digit that gets noisier in both ways, and mean and standard deviation of x_t against t."""
    figure = plots.new_figure(4.3, title="A chain of small steps and one jump give the same noise")
    left, right = figure.subfigures(1, 2, width_ratios=(1.75, 1))
    grid = left.subplots(len(pictures), len(PICTURES))
    for line, (name, row) in zip(grid, pictures.items(), strict=True):
        for ax, (t, pixels) in zip(line, row.items(), strict=True):
            show_image(ax, np.clip((pixels + 1) / 2, 0, 1))
            ax.set_title(f"t = {t}", fontsize=8, color=plots.GREY, pad=2)
        line[0].set_ylabel(name, fontsize=9, color=plots.TEXT)
    panels = right.subplots(2, 1, sharex=True)
    for (kind, (noise, found)), (colour, marker) in zip(curves.items(), plots.LINES, strict=False):
        at = np.linspace(0, noise.steps, len(found))
        for ax, exact, values in zip(panels, (noise.a * X0, noise.s), zip(*found, strict=True), strict=True):
            ax.plot(exact, color=colour, linewidth=1.5, label=f"{kind}, jump")
            ax.plot(at, values, marker, color=colour, markersize=3.5, label=f"{kind}, chain")
    tidy(panels[0], "mean of x_t, from x_0 = 1", "", "")
    tidy(panels[1], "standard deviation of x_t", "step t", "")
    panels[1].legend(frameon=False, fontsize=8, loc="lower right")
    return figure


if __name__ == "__main__":
    run(main)
