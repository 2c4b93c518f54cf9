"""The cross-entropy of the best discriminator is a Jensen-Shannon divergence, and a trained one falls short.

With D* = p / (p + q) the value of the game is V = 2·JSD(p, q) − 2·log 2, and any other D has a lower one. So
V(D)/2 + log 2 is a lower bound of the JSD. Both sides are computed here in different ways: the JSD by
quadrature over the two densities, V by the library's loss, on points that are equally probable under p or q.
The generator is a Linear layer, so that q is a Normal of known mean and spread; it is never trained.

Then a network learns D from fresh samples, and the gap is measured as it closes: always from below. Trained
over and over on the same few samples, D has a higher V on these samples than D* has, and so says that the
heaps are further apart than they are. It is a bound only for samples that D has not learnt by heart.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scratchgen import plots
from scratchgen.data import Density, GaussianMixture1D
from scratchgen.layers import Layer, Linear, Tanh
from scratchgen.models import GAN
from scratchgen.models.networks import dense
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Cosine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
BATCH = 256
POINTS = 20_000
FEW = (30, 100, 300, 1000, 3000)                # samples of each density to be learnt by heart
GRID = np.linspace(-14, 14, 20_001)
ONE_HUMP = GaussianMixture1D((1.0,), (0.0,), (1.0,))
TWO_HUMPS = GaussianMixture1D((0.5, 0.5), (-1.5, 1.5), (0.6, 0.6))
Course = tuple[list[int], list[float]]


class Pair(NamedTuple):
    """The data's density p, and the mean and the spread of q."""

    p: Density
    mean: float
    spread: float

    @property
    def q(self) -> Density:
        return GaussianMixture1D((1.0,), (self.mean,), (self.spread,))


PAIRS = {
    "q = p": Pair(ONE_HUMP, 0.0, 1.0),
    "apart by 1": Pair(ONE_HUMP, 1.0, 1.0),
    "apart by 2": Pair(ONE_HUMP, 2.0, 1.0),
    "apart by 4": Pair(ONE_HUMP, 4.0, 1.0),
    "two humps": Pair(TWO_HUMPS, 0.0, 1.5),
}


class Best(Layer):
    """The best discriminator as a layer: its logit is log p(x) − log q(x)."""

    def __init__(self, pair: Pair):
        self.p, self.q = pair.p, pair.q

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, None]:
        return (self.p.log_density(x) - self.q.log_density(x))[:, None], None


def main(out: Path, updates: int = 2000) -> None:
    """Print the tables, draw. updates : of each discriminator."""
    rng = np.random.default_rng(SEED)
    print("                 2·JSD - 2·log 2    V(D*)    V(trained)   falls short by   least gap on the way")
    courses: dict[str, Course] = {}
    for name, pair in PAIRS.items():
        truth = 2 * jensen_shannon(pair) - 2 * math.log(2)
        best = value(game(pair, Best(pair)), pair)
        steps, values = learn(pair, updates, rng)
        gaps = [truth - v for v in values]
        courses[name] = steps, gaps
        print(f"{name:16}{truth:16.5f}{best:11.5f}{values[-1]:12.5f}{gaps[-1]:17.6f}{min(gaps):17.6f}")

    pair = PAIRS["apart by 1"]
    truth = 2 * jensen_shannon(pair) - 2 * math.log(2)
    print("\nLearnt by heart, of two densities apart by 1: V(D) - V(D*)")
    print("                      on these samples      on all")
    own, everywhere = [], []
    for n in FEW:
        seen, general = by_heart(pair, n, updates, rng)
        own.append(seen)
        everywhere.append(general - truth)
        print(f"{n:5} samples each{own[-1]:+20.4f}{everywhere[-1]:+12.4f}")
    picture = plots.save(draw(courses, own, everywhere), out / "cross_entropy_jsd.png")
    print(f"\n{picture} is drawn")


def jensen_shannon(pair: Pair) -> float:
    """JSD in nats by quadrature, from its definition by two KLs to the even mixture."""
    logs = [density.log_density(GRID[:, None]) for density in (pair.p, pair.q)]
    middle = np.logaddexp(*logs) - math.log(2)
    return float(np.trapezoid(sum(np.exp(log) * (log - middle) for log in logs), GRID)) / 2


def game(pair: Pair, discriminator: Layer) -> GAN:
    """A GAN whose generator, x = mean + spread·z, draws from q."""
    generator = Linear(1, 1, rng=np.random.default_rng(SEED), dtype=np.float64)
    generator.weight.value[...], generator.bias.value[...] = pair.spread, pair.mean
    return GAN(generator, discriminator, code=1, output_range=None)


def equally_probable(density: Density) -> np.ndarray:
    """POINTS points, (POINTS, 1): the middles, in probability, of as many slices of the density."""
    below = np.cumsum(np.exp(density.log_density(GRID[:, None]))) * (GRID[1] - GRID[0])
    below -= (below[-1] - 1) / 2                                # the sum counts half a step too much
    some = np.concatenate([[True], np.diff(below) > 0])
    return np.interp((np.arange(POINTS) + 0.5) / POINTS, below[some], GRID[some])[:, None]


def value(model: GAN, pair: Pair) -> float:
    """V (GAN.1), averaged over equally probable x and z."""
    return -model.discriminator_loss(equally_probable(pair.p), equally_probable(ONE_HUMP))[0]


def learn(pair: Pair, updates: int, rng: np.random.Generator) -> Course:
    """Train D on fresh samples; the numbers of updates looked at, and V of the D of that moment."""
    model = game(pair, dense((1, 32, 32, 1), rng=rng, activation=Tanh, dtype=np.float64))
    optimizer = Adam(model.discriminator.parameters(), Cosine(5e-3, updates, 1e-5), (0.5, 0.999))
    looks = sorted(set(np.geomspace(10, updates, 20).astype(int).tolist()))
    values = []
    for step in range(1, updates + 1):
        x = pair.p.sample(BATCH, rng=rng)
        step_discriminator(model, optimizer, x, model.prior_sample(BATCH, rng=rng))
        if step in looks:
            values.append(value(model, pair))
    return looks, values


def by_heart(pair: Pair, n: int, updates: int, rng: np.random.Generator) -> tuple[float, float]:
    """Train D on the same n samples of each; V(D) − V(D*) on them, and V(D) on all of p and q."""
    model = game(pair, dense((1, 32, 32, 1), rng=rng, activation=Tanh, dtype=np.float64))
    optimizer = Adam(model.discriminator.parameters(), Cosine(5e-3, updates, 1e-5), (0.5, 0.999))
    x, z = pair.p.sample(n, rng=rng), model.prior_sample(n, rng=rng)
    size = min(n, BATCH)
    for _ in range(updates):
        some_x, some_z = (rng.choice(given, size, replace=False) for given in (x, z))
        step_discriminator(model, optimizer, some_x, some_z)
    best = game(pair, Best(pair))
    return best.discriminator_loss(x, z)[0] - model.discriminator_loss(x, z)[0], value(model, pair)


def step_discriminator(model: GAN, optimizer: Adam, x: np.ndarray, z: np.ndarray) -> None:
    """One update of D; G is held."""
    optimizer.zero_grad()
    _, cache = model.discriminator_loss(x, z)
    model.discriminator_backward(cache)
    optimizer.step()


def draw(courses: dict[str, Course], own: list[float], everywhere: list[float]) -> Figure:
    """The gap by updates, both axes logarithmic; V of what was learnt by heart, less the most there is."""
    fig = plots.new_figure(4.6, title="The value of a discriminator against 2·JSD − 2·log 2")
    left, right = fig.subplots(1, 2)
    for (colour, marker), (name, (steps, gaps)) in zip(plots.LINES, courses.items(), strict=True):
        left.loglog(steps, gaps, color=colour, marker=marker, markersize=4, linewidth=1.6, label=name)
    left.set_title("D learns from fresh samples: what is missing", fontsize=10, color=plots.TEXT)
    left.set_xlabel("updates of D", fontsize=10, color=plots.TEXT)
    left.set_ylabel("2·JSD − 2·log 2 − V(D), nats", fontsize=10, color=plots.TEXT)
    left.legend(frameon=False, fontsize=8.5, loc="upper right")
    for (colour, marker), (label, values) in zip(
        plots.LINES, {"on these samples": own, "on all": everywhere}.items(), strict=False
    ):
        right.plot(FEW, values, color=colour, marker=marker, markersize=6, linewidth=2, label=label)
    right.axhline(0, color=plots.TEXT, linewidth=1, linestyle="--")
    right.set_xscale("log")
    right.set_xticks(FEW, [f"{n:,}" for n in FEW])
    right.minorticks_off()
    right.set_title("D learns a few by heart: V(D) − V(D*)", fontsize=10, color=plots.TEXT)
    right.set_xlabel("samples of each density", fontsize=10, color=plots.TEXT)
    right.legend(frameon=False, fontsize=9.5)
    for ax in (left, right):
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.tick_params(labelsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
