"""Which balance of the two players arrives: D's steps k, its learning rate, and whether it goes ahead.

Data from two humps on a line, each run with the same number of updates of both nets together, so more steps
of D leave fewer to G. A row for each setting; what became of each seed is said in words:

    arrived        JSD below 0.03 at the end, and never above 0.06 in the last quarter
    swings         below 0.06 at some moment of the last quarter, but not arrived: it comes and goes
    one hump       a hump has less than a fifth of its share
    D has won      the mean of D(G(z)) is below 0.1 at the end
    not there      none of these; the JSD says how far

A D of five times G's rate arrives most often, and five steps of D help though they leave G a third of its
updates. With D as slow as G or slower the drawings come near and go off again, while D(G(z)) stays at 1/2.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scratchgen import plots
from scratchgen.data import GaussianMixture1D
from scratchgen.layers import Tanh
from scratchgen.models import GAN
from scratchgen.models.networks import dense
from scratchgen.training.optimisers import Adam

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = GaussianMixture1D((0.6, 0.4), (1.5, 2.9), (0.5, 0.45))
BETWEEN = 2.25                          # the humps are told apart here
BATCH = 64
LR = 1e-3                               # of the generator
STEPS = (1, 2, 5)
RATIOS = (0.2, 1.0, 5.0)                # D's learning rate over G's
AHEAD = 200                             # updates of D before the first of G, where it goes ahead
LOOKS = 10                              # in the last quarter of a run
EDGES = np.linspace(-4, 8, 281)
WIDTH = EDGES[1] - EDGES[0]
X = (EDGES[1:] + EDGES[:-1]) / 2
P = np.exp(DATA.log_density(X[:, None]))
Z = np.linspace(-5, 5, 801)
MASS = np.diff([0.5 * math.erfc(-z / math.sqrt(2)) for z in Z])


class Setting(NamedTuple):
    """How the players are balanced."""

    ahead: int
    k: int
    ratio: float


class End(NamedTuple):
    """What became of a run."""

    jsd: float
    course: list[float]     # JSD through the last quarter
    left: float             # share of the drawings on the side of the left hump, which has 0.6
    fooled: float           # mean of D(G(z))
    q: np.ndarray           # density of the drawings, for each bin of X

    @property
    def verdict(self) -> str:
        if self.jsd < 0.03 and max(self.course) < 0.06:
            return "arrived"
        if not 0.12 < self.left < 0.92:
            return "one hump"
        if self.fooled < 0.1:
            return "D has won"
        return "swings" if min(self.course) < 0.06 else "not there"


SETTINGS = [Setting(0, k, ratio) for k in STEPS for ratio in RATIOS]
SETTINGS += [Setting(AHEAD, 1, ratio) for ratio in RATIOS]


def main(out: Path, updates: int = 3000, seeds: int = 3) -> None:
    """Train the grid, print the table, draw.

    updates : of both nets together, after D has gone ahead;  seeds : runs of each setting
    """
    print("  D ahead   k   D's lr / G's    JSD: mean   worst    D(G(z))   what became of the seeds")
    grid = {}
    for setting in SETTINGS:
        ends = grid[setting] = [train(setting, updates, seed) for seed in range(seeds)]
        jsd = [end.jsd for end in ends]
        counts = Counter(end.verdict for end in ends)
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        print(
            f"{setting.ahead:9}{setting.k:4}{setting.ratio:15g}{np.mean(jsd):13.4f}{max(jsd):8.4f}"
            f"{np.mean([end.fooled for end in ends]):11.2f}   {said}"
        )
    print("\nmean JSD of all such runs")
    summary("D not ahead, k = 1", [s for s in SETTINGS if (s.ahead, s.k) == (0, 1)], grid)
    summary(f"D {AHEAD} ahead, k = 1", [s for s in SETTINGS if s.ahead], grid)
    for k in STEPS:
        summary(f"k = {k}", [s for s in SETTINGS if (s.ahead, s.k) == (0, k)], grid)
    for ratio in RATIOS:
        summary(f"ratio = {ratio:g}", [s for s in SETTINGS if (s.ahead, s.ratio) == (0, ratio)], grid)
    picture = plots.save(draw(grid), out / "balance.png")
    print(f"\n{picture} is drawn")


def summary(name: str, settings: list[Setting], grid: dict[Setting, list[End]]) -> None:
    """Print the mean JSD of all runs of these settings, and how many arrived."""
    ends = [end for setting in settings for end in grid[setting]]
    arrived = sum(end.verdict == "arrived" for end in ends)
    print(f"{name:24}{np.mean([end.jsd for end in ends]):8.4f}   {arrived} of {len(ends)} arrived")


def train(setting: Setting, updates: int, seed: int) -> End:
    """One run; JSD is measured LOOKS times in its last quarter."""
    rng = np.random.default_rng(seed)
    generator = dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    discriminator = dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    model = GAN(generator, discriminator, code=1, k=setting.k, ahead=setting.ahead, output_range=None)
    rounds = updates // (setting.k + 1)
    alone = -(-setting.ahead // setting.k)                      # rounds in which G's turn is left out
    optimizers = {
        "discriminator": Adam(discriminator.parameters(), setting.ratio * LR, (0.5, 0.999)),
        "generator": Adam(generator.parameters(), LR, (0.5, 0.999)),
    }
    looks = alone + np.linspace(0.75 * rounds, rounds, LOOKS).astype(int)
    course = []
    for number in range(1, alone + rounds + 1):
        x = DATA.sample(setting.k * BATCH, rng=rng).astype(np.float32)
        model.train_step((x,), optimizers, rng)
        if number in looks:
            course.append(jensen_shannon(density(model)))
    q = density(model)
    judged = model.predict_real(X[:, None].astype(np.float32))
    left, fooled = (float((q * of_x).sum() * WIDTH) for of_x in (X < BETWEEN, judged))
    return End(jensen_shannon(q), course, left, fooled, q)


def density(model: GAN) -> np.ndarray:
    """q for each bin of X. G counts as straight within each slice of z, as in 20_four_panels.py."""
    ends = model.inverse_transform(Z[:, None].astype(np.float32))[:, 0].astype(np.float64)
    low, length = np.minimum(ends[1:], ends[:-1]), np.maximum(np.abs(np.diff(ends)), 1e-9)
    return np.diff(np.clip((EDGES[:, None] - low) / length, 0, 1) @ MASS) / WIDTH


def jensen_shannon(q: np.ndarray) -> float:
    """JSD(p, q) in nats; what lies beyond the bins counts as nothing."""
    middle, total = (P + q) / 2, 0.0
    for d in (P, q):
        some = d > 0
        total += float((d[some] * np.log(d[some] / middle[some])).sum()) * WIDTH / 2
    return total


def draw(grid: dict[Setting, list[End]]) -> Figure:
    """A panel for each setting: the data's density, and that of each seed's drawings."""
    fig = plots.new_figure(5.8, title="What became of each balance: q of every seed against p")
    axes = fig.subplots(len(SETTINGS) // len(RATIOS), len(RATIOS), sharex=True, sharey=True)
    for ax, (setting, ends) in zip(axes.flat, grid.items(), strict=True):
        ax.fill_between(X, P, color="#dddddd", linewidth=0)
        for (colour, _), end in zip(plots.LINES, ends, strict=False):
            ax.plot(X, end.q, color=colour, linewidth=1.1)
        jsd = np.mean([end.jsd for end in ends])
        name = f"ahead {setting.ahead}, k = {setting.k}, ratio {setting.ratio:g}: JSD {jsd:.3f}"
        ax.set_title(name, fontsize=8.5, color=plots.TEXT)
        ax.set(xlim=(-1, 5), ylim=(0, 0.8), yticks=[])
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right", "left"]].set_visible(False)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
