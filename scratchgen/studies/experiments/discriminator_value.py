"""Compare V(D) = E_p log D(x) + E_q log(1 − D(x)) with 2·JSD(p, q) − 2·log 2.

The generator is a Linear layer, so q is a Normal with a known mean and standard deviation. It is not trained.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scratchgen.data import Density, GaussianMixture1D
from scratchgen.layers import Layer, Linear, Tanh
from scratchgen.models import GAN
from scratchgen.models.networks import dense
from scratchgen.studies.experiments.gan_on_a_line import BETAS
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Cosine

POINTS = 20_000
GRID = np.linspace(-14, 14, 20_001)
STANDARD = GaussianMixture1D((1.0,), (0.0,), (1.0,))
BIMODAL = GaussianMixture1D((0.5, 0.5), (-1.5, 1.5), (0.6, 0.6))


class Pair(NamedTuple):
    """The density p of the data, and the mean and standard deviation of q."""

    p: Density
    mean: float
    std: float

    @property
    def q(self) -> Density:
        return GaussianMixture1D((1.0,), (self.mean,), (self.std,))


PAIRS = {
    "q = p": Pair(STANDARD, 0.0, 1.0),
    "1 apart": Pair(STANDARD, 1.0, 1.0),
    "2 apart": Pair(STANDARD, 2.0, 1.0),
    "4 apart": Pair(STANDARD, 4.0, 1.0),
    "bimodal": Pair(BIMODAL, 0.0, 1.5),
}


class Best(Layer):
    """The best discriminator as a layer: its logit is log p(x) − log q(x)."""

    def __init__(self, pair: Pair):
        self.p, self.q = pair.p, pair.q

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, None]:
        return (self.p.log_density(x) - self.q.log_density(x))[:, None], None


def jensen_shannon(p: Density, q: Density) -> float:
    """JSD in nats by quadrature: the mean of the KLs of p and q to their even mixture."""
    logs = [density.log_density(GRID[:, None]) for density in (p, q)]
    middle = np.logaddexp(*logs) - math.log(2)
    return float(np.trapezoid(sum(np.exp(log) * (log - middle) for log in logs), GRID)) / 2


def highest_value(pair: Pair) -> float:
    """2·JSD(p, q) − 2·log 2, the value of the best discriminator."""
    return 2 * jensen_shannon(pair.p, pair.q) - 2 * math.log(2)


def game(pair: Pair, discriminator: Layer) -> GAN:
    """A GAN whose generator, x = mean + std·z, samples q."""
    generator = Linear(1, 1, rng=0, dtype=np.float64)
    assert generator.bias is not None
    generator.weight.value[...], generator.bias.value[...] = pair.std, pair.mean
    return GAN(generator, discriminator, code=1, output_range=None)


def equally_probable(density: Density) -> np.ndarray:
    """The medians of POINTS slices of the density that have equal probabilities, (POINTS, 1)."""
    below = np.cumsum(np.exp(density.log_density(GRID[:, None]))) * (GRID[1] - GRID[0])
    below -= (below[-1] - 1) / 2                                # the sum counts half a step too much
    some = np.concatenate([[True], np.diff(below) > 0])
    return np.interp((np.arange(POINTS) + 0.5) / POINTS, below[some], GRID[some])[:, None]


def value(model: GAN, pair: Pair) -> float:
    """V (GAN.1), averaged over equally probable x and z."""
    return -model.discriminator_loss(equally_probable(pair.p), equally_probable(STANDARD))[0]


def value_of_best(pair: Pair) -> float:
    """V of the best discriminator, computed by the library's loss."""
    return value(game(pair, Best(pair)), pair)


def _learner(pair: Pair, updates: int, rng: np.random.Generator) -> tuple[GAN, Adam]:
    model = game(pair, dense((1, 32, 32, 1), rng=rng, activation=Tanh, dtype=np.float64))
    return model, Adam(model.discriminator.parameters(), Cosine(5e-3, updates, 1e-5), BETAS)


def learn(
    pair: Pair, updates: int, rng: np.random.Generator, batch_size: int = 256
) -> tuple[list[int], list[float]]:
    """Train D on new samples. Returns numbers of updates, and V(D) after each of them."""
    model, optimizer = _learner(pair, updates, rng)
    steps = sorted(set(np.geomspace(10, updates, 20).astype(int).tolist()))
    values = []
    for step in range(1, updates + 1):
        x = pair.p.sample(batch_size, rng=rng)
        model.discriminator_step(x, model.prior_sample(batch_size, rng=rng), optimizer=optimizer)
        if step in steps:
            values.append(value(model, pair))
    return steps, values


def memorise(
    pair: Pair, n: int, updates: int, rng: np.random.Generator, batch_size: int = 256
) -> tuple[float, float]:
    """Train D on n fixed samples of p and of q. Returns V(D) − V(D*) on them, and V(D) on all of p and q."""
    model, optimizer = _learner(pair, updates, rng)
    x, z = pair.p.sample(n, rng=rng), model.prior_sample(n, rng=rng)
    size = min(n, batch_size)
    for _ in range(updates):
        some_x, some_z = (rng.choice(given, size, replace=False) for given in (x, z))
        model.discriminator_step(some_x, some_z, optimizer=optimizer)
    best = game(pair, Best(pair))
    return best.discriminator_loss(x, z)[0] - model.discriminator_loss(x, z)[0], value(model, pair)
