"""The card of the normalizing flows."""

from __future__ import annotations

from typing import Any

from scratchgen.data import dequantise
from scratchgen.models import NICE, RealNVP
from scratchgen.studies.cards.card import SIZE, Card, Trainable
from scratchgen.studies.compare.contender import Contender, Latent
from scratchgen.studies.ood.scores import (
    DENSITY,
    ERROR,
    INVERTIBLE,
    WITH_EXACT_DENSITY,
    Detector,
    minus_log_p,
)
from scratchgen.studies.spaces import DEQUANTISED
from scratchgen.training.schedules import OneCycle

COUPLINGS, LEVELS = 4, 256
OF_EVERY_FLOW: dict[str, Any] = {
    "scores": {DENSITY: minus_log_p},
    "density": DENSITY,
    "lacks": {**WITH_EXACT_DENSITY, ERROR: INVERTIBLE},
    "prepare": dequantise,
    "shown": 20_000,
}

CARD = Card(
    title="flow",
    contenders=(
        Contender(
            name="NICE, 4 couplings of 2 × 500",
            family="flow",
            space=DEQUANTISED,
            minimises="KL",
            build=lambda rng: NICE.dense(SIZE, (500, 500), COUPLINGS, levels=LEVELS, rng=rng),
            settings={"batch_size": 128, "lr": OneCycle(3e-3)},
            latent=Latent("one to one"),
        ),
        # With a Normal prior, one digit with a pixel that is black in all training digits dominates the mean.
        Contender(
            name="RealNVP, 4 couplings of 2 × 500",
            family="flow",
            space=DEQUANTISED,
            minimises="KL",
            build=lambda rng: RealNVP.dense(
                SIZE, (500, 500), COUPLINGS, prior="logistic", levels=LEVELS, rng=rng
            ),
            settings={"batch_size": 128, "lr": OneCycle(1e-3)},
            latent=Latent("one to one"),
        ),
    ),
    detectors=(
        Detector(
            name="nice",
            title="NICE, 4 couplings of 2 × 300",
            build=lambda rng: NICE.dense(SIZE, (300, 300), COUPLINGS, levels=LEVELS, rng=rng),
            **OF_EVERY_FLOW,
        ),
        Detector(
            name="realnvp",
            title="RealNVP, 4 couplings of 2 × 200",
            build=lambda rng: RealNVP.dense(SIZE, (200, 200), COUPLINGS, levels=LEVELS, rng=rng),
            lr=OneCycle(1e-3),
            **OF_EVERY_FLOW,
        ),
    ),
    reproductions=("nice",),
    trainable=(
        Trainable(
            NICE,
            {"dense": {"hidden": (500, 500), "couplings": COUPLINGS, "levels": LEVELS}},
            DEQUANTISED,
        ),
        Trainable(
            RealNVP,
            {
                "dense": {"hidden": (500, 500), "couplings": COUPLINGS, "levels": LEVELS},
                "convolutional": {"levels": LEVELS},
            },
            DEQUANTISED,
        ),
    ),
    interpolate_in=("latent code",),
    benchmarks=("nice",),
)
