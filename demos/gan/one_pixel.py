"""A discriminator detects stray pixels after seeing some.

Test digits are damaged by a speck (one pixel, squared error 1), a hole (one pixel) and a swelling (six pixels
on the edge of the stroke, 1.5). By squared error, the single pixel is always the smaller damage. A common
claim is that a discriminator rates it as the larger one. Over all test digits, this depends on the
discriminator's training: see the plot on the right. A dense GAN's D rates the speck as less real than the
swelling for 75 to 83 % of the digits at some moments, and near 50 % at the end.

A discriminator learns only to tell digits from its generator's images, so the last column gives the share of
these with an isolated bright pixel. Two discriminators are trained with such pixels: that of a DCGAN, which
also learns to tell digits from the same digits with noise in a few pixels, and one that is trained only on
real digits and digits with such noise.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.studies.experiments import single_pixels as experiment
from scratchgen.studies.experiments.single_pixels import Damaged, Verdict

from ..common import plot_lines, print_table, run, save, say, show_image, tidy

COLUMNS = {
    "speck": "speck < swell",
    "speck_of_2s": "the same, 2s",
    "hole": "hole < swell",
    "speck_below": "speck < intact",
    "swell_below": "swell < intact",
    "isolated": "isolated pixels",
}


def main(out: Path, *, shown: int = 80_000, seed: int = 1) -> dict[str, Any]:
    """Train four GANs, and a discriminator without a generator, and compare their logits of damaged digits.

    shown : real digits that a DCGAN sees; the others see more or fewer, depending on their cost
    """
    digits = load_digits()
    say(digits.source)
    x, rng = digits.x_train, np.random.default_rng(seed)
    damaged = experiment.damage(digits.x_test[:1000], digits.y_test[:1000], rng)
    errors = {
        kind: float(((getattr(damaged, kind) - damaged.intact) ** 2).sum(axis=1).mean())
        for kind in ("speck", "hole", "swell")
    }
    print(f"{len(damaged.intact)} of 1,000 test digits have room for all three kinds of damage")
    print("squared error: " + ", ".join(f"{kind} {error:.2f}" for kind, error in errors.items()))

    runs = {}
    for name, game in experiment.GAMES.items():
        print(f"\nTraining: {name}")
        runs[name] = experiment.train(game, x, damaged, shown, seed)
    runs["noise only"] = [experiment.noise_only(x, damaged, shown // 4, seed)]
    table = {
        f"{name}, {verdict.shown:,} shown": {
            column: getattr(verdict, field) for field, column in COLUMNS.items()
        }
        for name, verdicts in runs.items()
        for verdict in verdicts
    }
    title = "Share of the digits for which D has a lower logit for the first of two images"
    print_table(table, title, dict.fromkeys(COLUMNS.values(), ".1%"))
    before, after = (experiment.isolated(part).mean() for part in (damaged.intact, damaged.speck))
    print(f"isolated pixels in {before:.1%} of the test digits, in {after:.1%} of those with a speck")
    picture = save(draw(damaged, runs), out / "one_pixel.png")
    return {"errors": errors, "runs": runs, "table": table, "figure": picture}


def draw(damaged: Damaged, runs: dict[str, list[Verdict]]) -> Figure:
    """Plot some damaged 2s, and the results of the discriminators on all digits during training."""
    fig = plots.new_figure(4.3, title="One wrong pixel, or six: which is less real?")
    halves = fig.add_gridspec(1, 2, width_ratios=(1.2, 1))
    twos = np.flatnonzero(damaged.label == 2)[:4]
    grid = halves[0].subgridspec(4, len(twos), wspace=0.04, hspace=0.04).subplots(squeeze=False)
    for axes, name, images in zip(grid, ("intact", "speck", "hole", "swell"), damaged[:4], strict=True):
        for ax, image in zip(axes, images[twos], strict=True):
            show_image(ax, image)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10, color=plots.TEXT)
    ax = fig.add_subplot(halves[1])
    lines = {name: ([v.shown for v in all], [100 * v.speck for v in all]) for name, all in runs.items()}
    plot_lines(ax, lines)
    ax.axhline(50, color=plots.GREY, linewidth=1, linestyle=":")
    ax.axhline(0, color=plots.TEXT, linewidth=1)
    for level, text in ((0, "squared error: never"), (50, "chance")):
        ax.annotate(text, (0.02, level), (0, 3), xycoords=("axes fraction", "data"),
                    textcoords="offset points", fontsize=9, color=plots.TEXT)  # fmt: skip
    ax.set_xscale("log")
    ax.set_ylim(-3, 103)
    tidy(ax, "speck rated less real than swell, % of digits", "real digits that D has seen")
    ax.legend(frameon=False, fontsize=9)
    return fig


if __name__ == "__main__":
    run(main)
