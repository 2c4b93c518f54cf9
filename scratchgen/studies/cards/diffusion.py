"""The card of the models that turn noise into data in small steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.data import Dataset, dequantise
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.cards.card import SIZE, Card, Figure, Trainable
from scratchgen.studies.compare.contender import Contender, Latent
from scratchgen.studies.ood.scores import (
    BOUND,
    DENSITY,
    ERROR,
    ESTIMATED,
    IMPORTANCE,
    INVERTIBLE,
    LOGIT,
    NO_DISCRIMINATOR,
    WITH_EXACT_DENSITY,
    Detector,
    minus_log_p,
)
from scratchgen.studies.spaces import DEQUANTISED, GREY, SEED, Space
from scratchgen.training.schedules import OneCycle

HIDDEN, BLOCKS, CHANNELS, LEVELS = 512, 4, (16, 32), 256
STEPS = 200             # of the chain of a Diffusion in the studies
SOLVER_STEPS = 20       # of Runge and Kutta's method, for an exact likelihood
ROUND_TRIP_STEPS = 20   # of DDIM, for the error of a reconstruction
BATCH = 500
LONG_CHAIN = "its latent codes are a chain of noisy images, and there is no estimate for it"


def loss_of(model: Any, x: np.ndarray, y: np.ndarray | None = None) -> float:
    """The mean loss of grey digits x (N, D), each with one noise and one time, drawn with a fixed seed.

    y : (N,), for a model with classes
    """
    rng, total = np.random.default_rng(SEED), 0.0
    for start in range(0, len(x), BATCH):
        part = tuple(a[start : start + BATCH] for a in (x, y) if a is not None)
        total += len(part[0]) * model.loss(*model.prepare(part, rng))[0]
    return total / len(x)


def loss_of_test_data(model: Any, data: Dataset, space: Space) -> Figure:
    """The loss of the test data.

    A likelihood takes hundreds of evaluations of the network per example, so it is not computed here.
    """
    given = (data.y_test,) if model.classes else ()
    loss = loss_of(model, space.prepare(data.x_test), *given)
    text = f"loss of the test examples: {loss:.4f} (noise and times with seed {SEED})"
    return Figure("test_loss", loss, text)


def grey_levels(X: np.ndarray) -> np.ndarray:
    """The grey levels k/255 of dequantised pixels X = (k + u)/256 (N, D), 0 ≤ u < 1."""
    levels = np.minimum(np.floor(X * X.dtype.type(LEVELS)), LEVELS - 1)
    return (levels / (LEVELS - 1)).astype(X.dtype)


def minus_loss(model: Any, X: np.ndarray) -> float:
    """Minus the loss of dequantised digits, which chooses an epoch in place of a slow likelihood."""
    return -loss_of(model, grey_levels(X))


def bound_of_density(model: Diffusion, X: np.ndarray) -> dict[str, np.ndarray]:
    """A lower bound on the log-density of dequantised digits X (N, D), from that on P(grey levels).

    Within the interval of a level, whose length is 1/256, the density of a pixel is constant, so it is
    256·P(level).
    """
    return {"lower bound": model.score_samples(grey_levels(X)) + X.shape[1] * math.log(LEVELS)}


def log_density(model: FlowMatching, X: np.ndarray) -> dict[str, np.ndarray]:
    """log p(x) of dequantised digits X, with an unbiased estimate of the divergence."""
    return {"exact": model.log_likelihood(X, steps=SOLVER_STEPS).log_prob}


def minus_log_density(model: FlowMatching, X: np.ndarray) -> np.ndarray:
    """−log p(x), (N,), also where the solver is inaccurate, as it may be for images that are no digits."""
    return -log_density(model, X)["exact"]


def round_trip_error(model: Diffusion, X: np.ndarray) -> np.ndarray:
    """The squared error of x → x_T → x in a few steps of DDIM, (N,). With more steps it approaches 0."""
    return squared_error_per_example(X, model.reconstruct(X, steps=ROUND_TRIP_STEPS))


FORMS: dict[str, dict[str, Any]] = {        # each trains for about a minute on the embedded digits
    "dense": {"hidden": HIDDEN, "blocks": BLOCKS, "levels": LEVELS},
    "convolutional": {"channels": CHANNELS, "levels": LEVELS},
}


CARD = Card(
    title="diffusion",
    contenders=(
        Contender(
            name="Diffusion, U-Net with 16 and 32 channels",
            family="diffusion",
            space=DEQUANTISED,
            minimises="a reweighted bound on the KL",
            build=lambda rng: Diffusion.convolutional(CHANNELS, levels=LEVELS, steps=STEPS, rng=rng),
            settings={"batch_size": 64, "lr": OneCycle(3e-3)},
            latent=Latent("one to one"),
            log_prob=bound_of_density,
            score=minus_loss,
        ),
        Contender(
            name="flow matching, U-Net with 16 and 32 channels",
            family="diffusion",
            space=DEQUANTISED,
            minimises="the error of a velocity",
            build=lambda rng: FlowMatching.convolutional(CHANNELS, levels=LEVELS, rng=rng),
            settings={"batch_size": 64, "lr": OneCycle(3e-3)},
            latent=Latent("one to one"),
            log_prob=log_density,
            score=minus_loss,
        ),
    ),
    detectors=(
        Detector(
            name="diffusion",
            title="diffusion, 4 × 512",
            build=lambda rng: Diffusion.dense(SIZE, HIDDEN, BLOCKS, levels=LEVELS, steps=STEPS, rng=rng),
            scores={BOUND: minus_log_p, ERROR: round_trip_error},
            density=BOUND,
            lacks={DENSITY: ESTIMATED, IMPORTANCE: LONG_CHAIN, LOGIT: NO_DISCRIMINATOR},
            shown=25_000,
            lr=OneCycle(1e-3),
        ),
        Detector(
            name="flow_matching",
            title="flow matching, 4 × 512",
            build=lambda rng: FlowMatching.dense(SIZE, HIDDEN, BLOCKS, levels=LEVELS, rng=rng),
            scores={DENSITY: minus_log_density},
            density=DENSITY,
            lacks={**WITH_EXACT_DENSITY, ERROR: INVERTIBLE},
            prepare=dequantise,
            shown=25_000,
            lr=OneCycle(1e-3),
        ),
    ),
    reproductions=("diffusion", "flow_matching", "latent_flow_matching"),
    trainable=(
        Trainable(Diffusion, FORMS, GREY, loss_of_test_data),
        Trainable(FlowMatching, FORMS, GREY, loss_of_test_data),
    ),
    interpolate_in=("latent code",),
    benchmarks=("unet",),
)
