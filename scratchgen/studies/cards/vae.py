"""The card of the variational autoencoders."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.data import binarise, dequantise
from scratchgen.distributions import Normal
from scratchgen.models import VAE, ClassPriorVAE, ConditionalVAE, NormalPixels
from scratchgen.studies.cards.card import SIZE, Card, Trainable
from scratchgen.studies.compare.contender import Contender, Latent
from scratchgen.studies.ood.scores import (
    BOUND,
    DENSITY,
    ERROR,
    ESTIMATED,
    IMPORTANCE,
    LOGIT,
    NO_DISCRIMINATOR,
    Detector,
    minus_bound,
    minus_importance_sampled,
    reconstruction_error,
)
from scratchgen.studies.spaces import BINARY, DEQUANTISED, SEED
from scratchgen.training.schedules import OneCycle

BOUND_SAMPLES = 10


def log_prob(model: VAE, X: np.ndarray) -> dict[str, np.ndarray]:
    """log p(x) by importance sampling, and its lower bound."""
    return {
        "importance-sampled": model.score_samples(X),
        "lower bound": model.elbo(X, rng=np.random.default_rng(SEED), samples=BOUND_SAMPLES),
    }


def mean_bound(model: VAE, X: np.ndarray) -> float:
    """The mean lower bound with one sample per example, which is enough to choose an epoch."""
    return float(model.elbo(X, rng=np.random.default_rng(SEED)).mean())


def sample(model: VAE, Z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One sample of p(x | z) for each code."""
    pixels: np.ndarray = model.observation.sample(model.decode(Z), rng)
    return pixels


def fit_std(model: VAE, x: np.ndarray) -> None:
    """Set the σ of a VAE's Normal pixels to the value that maximises its bound on x (N, D).

    (CMP.1)  σ² = mean of (x_nd − out_nd)² over n and d,  out = decoder(z),  z ~ q(z | x)

    At this value, the derivative of (VAE.9) with respect to σ is zero. One z is drawn for each x, with a
    fixed seed. Derived in docs/comparison.md.
    """
    mu, logvar = model.posterior(x)                             # (N, K)
    eps = np.random.default_rng(SEED).standard_normal(mu.shape, mu.dtype)
    out = model.decode(Normal.sample(mu, logvar, eps))          # (N, D)
    error = np.mean((x - out) ** 2, dtype=np.float64)
    model.observation = NormalPixels(math.sqrt(error))          # (CMP.1)


def pixel_std(model: VAE) -> float:
    """The σ of a VAE's Normal pixels."""
    observation: Any = model.observation
    return float(observation.std)


LATENT = Latent("stochastic", sample=sample)
SCORES = {BOUND: minus_bound, IMPORTANCE: minus_importance_sampled, ERROR: reconstruction_error}
LACKS = {DENSITY: ESTIMATED, LOGIT: NO_DISCRIMINATOR}


def detector(name: str, code: int) -> Detector:
    """A VAE with a code of that width as a detector."""
    return Detector(
        name=name,
        title=f"VAE 784-300-{code}",
        build=lambda rng: VAE.dense((SIZE, 300, code), rng=rng),
        scores=SCORES,
        density=IMPORTANCE,
        lacks=LACKS,
        prepare=binarise,
        shown=25_000,
    )


CARD = Card(
    title="VAE",
    contenders=(
        Contender(
            name="VAE 784-400-20, Bernoulli",
            family="VAE",
            space=BINARY,
            minimises="a bound on the KL",
            build=lambda rng: VAE.dense((SIZE, 400, 20), rng=rng),
            settings={"batch_size": 128, "lr": OneCycle(2e-3)},
            latent=LATENT,
            log_prob=log_prob,
            score=mean_bound,
            mean_images=True,
        ),
        Contender(
            name="VAE 784-400-20, Normal",
            family="VAE",
            space=DEQUANTISED,
            minimises="a bound on the KL",
            build=lambda rng: VAE.dense((SIZE, 400, 20), observation=NormalPixels(0.3), rng=rng),
            settings={"batch_size": 128, "lr": OneCycle(2e-3), "augment": dequantise},
            latent=LATENT,
            log_prob=log_prob,
            score=mean_bound,
            adjust=fit_std,
            pixel_std=pixel_std,
            mean_images=True,
        ),
    ),
    detectors=(detector("vae2", 2), detector("vae", 32)),
    reproductions=("vae",),
    trainable=(
        Trainable(VAE, {"dense": {"hidden": (400,), "code": 20}, "convolutional": {"code": 20}}, BINARY),
        Trainable(ConditionalVAE, {"dense": {"hidden": (400,), "code": 4}}, BINARY),
        Trainable(
            ClassPriorVAE, {"dense": {"hidden": (400,), "code": 20}, "convolutional": {"code": 20}}, BINARY
        ),
    ),
    interpolate_in=("latent code",),
    benchmarks=("vae",),
)
