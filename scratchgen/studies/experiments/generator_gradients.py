"""Measure the generator's gradient of three losses, at several distances and stages of D's training."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.data import GaussianMixture1D
from scratchgen.layers import Layer, LeakyReLU, Linear, Tanh
from scratchgen.models import GAN, WGAN
from scratchgen.models.networks import dense
from scratchgen.studies.experiments.gan_on_a_line import BETAS, tanh_game
from scratchgen.training.optimisers import SGD, Adam, Optimizer
from scratchgen.training.schedules import Cosine

BATCH = 256
DATA = GaussianMixture1D((1.0,), (3.0,), (0.5,))    # for a generator that is a network
LOSSES = ("minimax", "non-saturating", "Wasserstein")
UPDATES = (0, 3, 10, 30, 100, 300, 1000)            # of D, after which the gradient is measured


class BestLinear(Layer):
    """The best discriminator between N(0, 1) and N(d, 1): a logit of d²/2 − d·x."""

    def __init__(self, d: float):
        self.d = d

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, None]:
        return self.d**2 / 2 - self.d * x, None

    def backward(self, dout: np.ndarray, cache: None, input_grad: bool = True) -> np.ndarray:
        return -self.d * dout


def by_distance(d: float, updates: int, rng: np.random.Generator) -> dict[str, float]:
    """Gradients at the shift d of a generator x = z + d, from N(d, 1) to N(0, 1).

    updates : of the learned discriminator, and of the critic
    """
    slope = (jensen_shannon(d + 1e-3) - jensen_shannon(d - 1e-3)) / 1e-3
    row = {"JSD": jensen_shannon(d), "slope of 2·JSD": slope}
    best = {loss: gradient(shifted(d, BestLinear(d), loss)) for loss in LOSSES[:2]}
    model = shifted(d, dense((1, 32, 32, 1), rng=rng, activation=Tanh, dtype=np.float64))
    optimizer = Adam(model.discriminator.parameters(), Cosine(5e-3, updates, 1e-4), BETAS)
    for _ in range(updates):
        update_discriminator(model, rng.standard_normal((BATCH, 1)), optimizer, rng)
    for loss in LOSSES[:2]:
        model.objective = loss
        row |= {f"{loss}: best D": best[loss], f"{loss}: learned D": gradient(model)}
    critic, estimate = learn_critic(d, updates, rng)
    return row | {"distance": d, "critic: estimate": estimate, "critic: gradient": gradient(critic)}


def jensen_shannon(d: float) -> float:
    """JSD of N(0, 1) and N(d, 1) in nats, by quadrature."""
    x = np.linspace(-10, 10 + d, 20_001)
    logs = np.stack([-(x**2) / 2, -((x - d) ** 2) / 2]) - 0.5 * math.log(2 * math.pi)
    middle = np.logaddexp(*logs) - math.log(2)
    return float(np.trapezoid((np.exp(logs) * (logs - middle)).sum(axis=0), x)) / 2


def shifted(d: float, discriminator: Layer, objective: str = "minimax") -> GAN:
    """A GAN whose generator is x = z + d."""
    return GAN(_shift(d), discriminator, code=1, objective=objective, output_range=None)


def _shift(d: float) -> Linear:
    generator = Linear(1, 1, rng=0, dtype=np.float64)
    assert generator.bias is not None
    generator.weight.value[...], generator.bias.value[...] = 1, d
    return generator


def gradient(model: GAN) -> float:
    """dloss_G/dd, the gradient of the generator's bias, over 5,000 codes that are the same each time."""
    model.generator.zero_grad()
    _, cache = model.generator_loss(np.random.default_rng(1).standard_normal((5000, 1)))
    model.generator_backward(cache)
    return float(model.generator.parameters()["bias"].grad[0])


def learn_critic(d: float, updates: int, rng: np.random.Generator) -> tuple[WGAN, float]:
    """A critic trained against a fixed shift, and the distance that it estimates.

    The weight of the penalty starts small: on a line a slope can change its sign only through 0, and a large
    penalty would keep the sign that it began with.
    """
    critic = dense((1, 32, 32, 1), rng=rng, activation=LeakyReLU, dtype=np.float64)
    model = WGAN(_shift(d), critic, code=1, penalty=0.1, output_range=None)
    optimizer = Adam(critic.parameters(), Cosine(1e-2, updates, 1e-4), (0.5, 0.9))
    for step in range(updates):
        model.penalty = 0.1 if step < 0.3 * updates else 30.0
        update_discriminator(model, rng.standard_normal((BATCH, 1)), optimizer, rng)
    x, z = (np.random.default_rng(seed).standard_normal((20_000, 1)) for seed in (2, 3))
    return model, -model.discriminator_loss(x, z)[0]


def update_discriminator(model: GAN, x: np.ndarray, optimizer: Optimizer, rng: np.random.Generator) -> None:
    """One update of D, or of the critic; G does not change."""
    z = model.prior_sample(len(x), rng=rng)
    has_penalty = getattr(model, "penalty", None) is not None
    u = (rng.random((len(x), 1)).astype(x.dtype),) if has_penalty else ()
    model.discriminator_step(x, z, *u, optimizer=optimizer)


def networks(loss: str, rng: np.random.Generator) -> GAN:
    """A GAN of two networks with one of the three losses."""
    if loss != LOSSES[2]:
        return tanh_game(rng, objective=loss)
    generator = dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    critic = dense((1, 32, 32, 1), rng=rng, activation=LeakyReLU)
    return WGAN(generator, critic, code=1, penalty=10.0, output_range=None)


def first_norms(loss: str, seeds: int) -> list[float]:
    """The norm of G's first gradient after each number of UPDATES of D, as geometric mean over seeds."""
    logs = np.zeros(len(UPDATES))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        model = networks(loss, rng)
        optimizer = Adam(model.discriminator.parameters(), 5e-3, BETAS)
        norm = Adam(model.generator.parameters(), 0.0).grad_norm
        for step in range(UPDATES[-1] + 1):
            if step in UPDATES:
                model.generator.zero_grad()
                _, cache = model.generator_loss(model.prior_sample(2000, rng=seed))
                model.generator_backward(cache)
                logs[UPDATES.index(step)] += math.log(norm()) / seeds
            update_discriminator(model, DATA.sample(BATCH, rng=rng).astype(np.float32), optimizer, rng)
    return np.exp(logs).tolist()


def train_on(objective: str, method: str, rounds: int, seed: int = 1) -> dict[str, float]:
    """Train D alone, then both, with `method` as G's optimiser: mean and standard deviation of G(z)."""
    rng = np.random.default_rng(seed)
    model = networks(objective, rng)
    parameters = model.generator.parameters()
    optimizers = {
        "discriminator": Adam(model.discriminator.parameters(), 5e-3, BETAS),
        "generator": SGD(parameters, 0.01) if method == "SGD" else Adam(parameters, 5e-4, BETAS),
    }
    for _ in range(UPDATES[-1]):
        x = DATA.sample(BATCH, rng=rng).astype(np.float32)
        update_discriminator(model, x, optimizers["discriminator"], rng)
    for _ in range(rounds):
        model.train_step((DATA.sample(BATCH, rng=rng).astype(np.float32),), optimizers, rng)
    generated = model.sample(5000, rng=rng)
    return {"mean of G(z)": float(generated.mean()), "std of G(z)": float(generated.std())}
