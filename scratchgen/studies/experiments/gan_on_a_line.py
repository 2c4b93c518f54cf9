"""GANs on a line, where the density of G(z) and the JSD can be computed.

z ~ N(0, 1) is cut into slices, G is taken as linear within a slice, and each slice spreads its probability
evenly between the images of its ends. This is the change of variables. It is also correct where G is not
monotonic, so that two slices have the same image.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.data import Density
from scratchgen.layers import Tanh
from scratchgen.models import GAN
from scratchgen.models.networks import dense
from scratchgen.training.optimisers import Adam

BETAS = (0.5, 0.999)


class Grid:
    """Bins on the axis of x and slices of the axis of z.

    x (B,) has the middles of the bins, p (B,) the density of the data in them.
    """

    def __init__(self, data: Density, low: float, high: float, bins: int, slices: int):
        self.edges = np.linspace(low, high, bins + 1)
        self.width = float(self.edges[1] - self.edges[0])
        self.x = (self.edges[1:] + self.edges[:-1]) / 2
        self.p = np.exp(data.log_density(self.x[:, None]))
        self.z = np.linspace(-5, 5, slices + 1)
        self.mass = np.diff([0.5 * math.erfc(-z / math.sqrt(2)) for z in self.z])

    def images(self, model: GAN) -> np.ndarray:
        """G at the ends of the slices, (slices + 1,)."""
        return model.inverse_transform(self.z[:, None].astype(np.float32))[:, 0].astype(np.float64)

    def density(self, model: GAN) -> np.ndarray:
        """q, the density of G(z) in each bin, (B,)."""
        ends = self.images(model)
        low, length = np.minimum(ends[1:], ends[:-1]), np.maximum(np.abs(np.diff(ends)), 1e-9)
        below = np.clip((self.edges[:, None] - low) / length, 0, 1) @ self.mass     # P(G(z) < edge)
        return np.diff(below) / self.width

    def jensen_shannon(self, q: np.ndarray) -> float:
        """JSD(p, q) in nats, summed over the bins. Values beyond the bins are ignored."""
        middle = (self.p + q) / 2
        return float(sum(plogp(d, middle).sum() for d in (self.p, q)) * self.width / 2)

    def mean(self, q: np.ndarray, values: np.ndarray) -> float:
        """The mean under q of a function with these values in the bins."""
        return float((values * q).sum() * self.width)

    def moments(self, q: np.ndarray) -> tuple[float, float]:
        """Mean and standard deviation under q."""
        mean = self.mean(q, self.x)
        return mean, self.mean(q, (self.x - mean) ** 2) ** 0.5


def plogp(d: np.ndarray, total: np.ndarray) -> np.ndarray:
    """d·log(d / total), which is 0 where d is 0."""
    some = d > 0
    return np.where(some, d * np.log(np.where(some, d, 1) / np.where(some, total, 1)), 0)


def tanh_game(rng: np.random.Generator, hidden: int = 32, **settings: Any) -> GAN:
    """A GAN with a generator 1-16-16-1 and a discriminator 1-hidden-hidden-1."""
    generator = dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    discriminator = dense((1, hidden, hidden, 1), rng=rng, activation=Tanh)
    return GAN(generator, discriminator, code=1, output_range=None, **settings)


def adam(model: GAN, lr: Any, discriminator_lr: Any) -> dict[str, Adam]:
    """Both optimisers, as train_step expects them."""
    return {
        "discriminator": Adam(model.discriminator.parameters(), discriminator_lr, BETAS),
        "generator": Adam(model.generator.parameters(), lr, BETAS),
    }
