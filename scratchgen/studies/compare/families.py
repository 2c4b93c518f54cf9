"""The families that are compared: what each is made of, and how it is trained for the same time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.data import binarise, dequantise
from scratchgen.distributions import Normal
from scratchgen.models import DCGAN, MADE, NICE, VAE, PixelCNN, RealNVP
from scratchgen.models.base import Model
from scratchgen.models.vae.observation import NormalPixels
from scratchgen.studies.compare.likelihood import Space
from scratchgen.training.callbacks import EarlyStopping
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.optimisers import Schedule
from scratchgen.training.schedules import Cosine, OneCycle

SEED = 0
PARTS = 10_000          # a schedule over time is cut into so many steps
MANY = 1_000_000        # epochs: the budget ends a run

BINARY = Space(
    "black and white pixels",
    f"each drawn once as 0 or 1, with its grey value as the probability of a 1, seed {SEED}",
    discrete=True,
)
DEQUANTISED = Space(
    "dequantised pixels",
    f"noise of one grey level added to each and divided by 256, seed {SEED}",
    discrete=False,
    levels=256,
)
GREY = Space("grey pixels", "as they come: 256 levels, taken as continuous numbers", discrete=False)
SPACES = (BINARY, DEQUANTISED, GREY)


def seen_as(space: Space, x: np.ndarray) -> np.ndarray:
    """Grey digits (N, D) as what a likelihood in this space is of: drawn once, the same every time."""
    if space == BINARY:
        return binarise(x, rng=np.random.default_rng(SEED))
    if space == DEQUANTISED:
        return dequantise(x, rng=np.random.default_rng(SEED))
    return x


@dataclass(frozen=True)
class Family:
    """One way to model digits.

    name      : of the model;  family : what it is one of
    space     : what its likelihood is of, and its samples
    code      : how z and x hang together
    minimises : from data to model
    build     : rng -> model
    settings  : for the model's trainer, where a learning rate is a schedule over PARTS parts of the time
    """

    name: str
    family: str
    space: Space
    code: str
    minimises: str
    build: Callable[[np.random.Generator], Any]
    settings: Mapping[str, Any]


def normal_vae(rng: np.random.Generator) -> VAE:
    """A VAE of dequantised pixels, drawn anew every time they are seen; of its σ see `fit_std`."""
    return VAE.dense((784, 400, 20), observation=NormalPixels(0.3), rng=rng)


def fit_std(model: Model, x: np.ndarray) -> None:
    """Give a VAE's Normal pixels the σ that makes its bound on x (N, D) largest; leave other models alone.

    (CMP.1)  σ² = mean of (x_nd − out_nd)² over n and d,  out = decoder(z),  z ~ q(z | x)

    It is where the slope of (VAE.9) with respect to σ is zero. One z for each x, of a fixed seed. Derived in
    docs/comparison.md.
    """
    if not (isinstance(model, VAE) and isinstance(model.observation, NormalPixels)):
        return
    mu, logvar = model.posterior(x)
    eps = np.random.default_rng(SEED).standard_normal(mu.shape, mu.dtype)
    out = model.decode(Normal.sample(mu, logvar, eps))
    error = np.mean((x - out) ** 2, dtype=np.float64)
    model.observation = NormalPixels(math.sqrt(error))          # (CMP.1)


FAMILIES = (
    Family(
        "MADE 784-500-784",
        "autoregressive",
        BINARY,
        "none",
        "KL",
        lambda rng: MADE(784, (500,), rng=rng, binarisation="dynamic"),
        {"batch_size": 128, "lr": OneCycle(4e-3, PARTS)},
    ),
    Family(
        "PixelCNN, 16 channels, 3 + 1 layers",
        "autoregressive",
        BINARY,
        "none",
        "KL",
        lambda rng: PixelCNN(channels=16, layers=3, rng=rng, binarisation="dynamic"),
        {"batch_size": 32, "lr": OneCycle(5e-3, PARTS)},
    ),
    Family(
        "VAE 784-400-20, coins",
        "VAE",
        BINARY,
        "stochastic",
        "a bound on the KL",
        lambda rng: VAE.dense((784, 400, 20), rng=rng),
        {"batch_size": 128, "lr": OneCycle(2e-3, PARTS)},
    ),
    Family(
        "VAE 784-400-20, Normal",
        "VAE",
        DEQUANTISED,
        "stochastic",
        "a bound on the KL",
        normal_vae,
        {"batch_size": 128, "lr": OneCycle(2e-3, PARTS), "augment": dequantise},
    ),
    Family(
        "NICE, 4 couplings of 2 × 500",
        "flow",
        DEQUANTISED,
        "one to one",
        "KL",
        lambda rng: NICE.dense(784, (500, 500), 4, levels=256, rng=rng),
        {"batch_size": 128, "lr": OneCycle(3e-3, PARTS)},
    ),
    # With a Normal prior one digit that has ink where training had none weighs more than a thousand others.
    Family(
        "RealNVP, 4 couplings of 2 × 500",
        "flow",
        DEQUANTISED,
        "one to one",
        "KL",
        lambda rng: RealNVP.dense(784, (500, 500), 4, prior="logistic", levels=256, rng=rng),
        {"batch_size": 128, "lr": OneCycle(1e-3, PARTS)},
    ),
    Family(
        "DCGAN, code of 32",
        "GAN",
        GREY,
        "deterministic",
        "D's estimate of a JSD",
        lambda rng: DCGAN(32, (16, 32), rng=rng),
        {"batch_size": 64, "lr": Cosine(1e-3, PARTS), "discriminator_lr": Cosine(5e-4, PARTS)},
    ),
)


class Budget(Callback):
    """So many seconds of this process's own time on the processor, and schedules that are laid over them.

    Time on the processor, since on a busy machine a clock on the wall would measure the neighbours. The run
    ends with the epoch in which the budget was spent.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.start = time.process_time()

    @property
    def spent(self) -> float:
        return time.process_time() - self.start

    def over(self, schedule: Schedule) -> Schedule:
        """A schedule over PARTS steps as one over the budget: where it stands is a matter of time."""
        return lambda step: schedule(int(PARTS * self.spent / self.seconds))

    def on_start(self, trainer: Trainer) -> None:
        self.start = time.process_time()

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if self.spent >= self.seconds:
            trainer.stop("the budget is spent")


@dataclass(frozen=True)
class Trained:
    """A model after its time: epochs made, seconds of the processor each took, and epoch of its weights."""

    model: Any
    epochs: int
    epoch_seconds: float
    kept: int


def train(family: Family, x: np.ndarray, held_out: np.ndarray, seconds: float) -> Trained:
    """Train on grey digits x (N, D) for so many seconds.

    A model with a likelihood keeps the weights of the epoch in which that of the digits held out was best;
    a GAN has nothing to tell its epochs apart by, and keeps the last. The digits held out also tell a VAE of
    Normal pixels its σ, after every epoch.
    """
    if not seconds > 0:
        raise ValueError(f"train expected seconds > 0, got {seconds}")
    batch = family.settings["batch_size"]
    # Numba compiles what it meets for the first time; on a model that is thrown away that costs no budget.
    family.build(np.random.default_rng(SEED)).fit(
        x[:batch], epochs=1, batch_size=batch, rng=np.random.default_rng(SEED)
    )
    rng = np.random.default_rng(SEED)
    model = family.build(rng)
    budget = Budget(seconds)
    settings: dict[str, Any] = dict(family.settings)
    for rate in {"lr", "discriminator_lr"}.intersection(settings):
        settings[rate] = budget.over(settings[rate])
    callbacks: list[Callback] = [budget]
    if model.likelihood is not None:
        seen = seen_as(family.space, held_out)
        callbacks.append(EarlyStopping(MANY))
        settings["validate"] = lambda: -quick_score(model, seen)
    trainer = model.trainer(x, epochs=MANY, rng=rng, callbacks=callbacks, **settings)
    history = trainer.run()
    if model.likelihood is not None:
        fit_std(model, seen)        # the weights are those of the best epoch again, and so must σ be
    epochs = trainer.epoch
    kept = epochs if model.likelihood is None else 1 + int(np.argmin(history.epochs["validation"]))
    return Trained(model, epochs, budget.spent / epochs, kept)


def quick_score(model: Model, X: np.ndarray) -> float:
    """The mean log-likelihood in nats, of a VAE the bound with one draw a digit: enough to tell epochs.

    The σ of Normal pixels is fitted to X before.
    """
    fit_std(model, X)
    if isinstance(model, VAE):
        return float(model.elbo(X, rng=np.random.default_rng(SEED)).mean())
    return float(model.score_samples(X).mean())
