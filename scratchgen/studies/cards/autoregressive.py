"""The card of the autoregressive models."""

from __future__ import annotations

from typing import Any

from scratchgen.data import binarise
from scratchgen.models import MADE, PixelCNN
from scratchgen.studies.cards.card import SIZE, Card, Trainable
from scratchgen.studies.compare.contender import Contender
from scratchgen.studies.ood.scores import (
    DENSITY,
    ERROR,
    NO_DECODER,
    WITH_EXACT_DENSITY,
    Detector,
    minus_log_p,
)
from scratchgen.studies.spaces import BINARY
from scratchgen.training.schedules import OneCycle

OF_EVERY_MODEL: dict[str, Any] = {
    "scores": {DENSITY: minus_log_p},
    "density": DENSITY,
    "lacks": {**WITH_EXACT_DENSITY, ERROR: NO_DECODER},
    "prepare": binarise,
    "lr": OneCycle(5e-3),
}

CARD = Card(
    title="autoregressive",
    contenders=(
        Contender(
            name="MADE 784-500-784",
            family="autoregressive",
            space=BINARY,
            minimises="KL",
            build=lambda rng: MADE(SIZE, (500,), rng=rng, binarisation="dynamic"),
            settings={"batch_size": 128, "lr": OneCycle(4e-3)},
        ),
        Contender(
            name="PixelCNN, 16 channels, 3 + 1 layers",
            family="autoregressive",
            space=BINARY,
            minimises="KL",
            build=lambda rng: PixelCNN(channels=16, layers=3, rng=rng, binarisation="dynamic"),
            settings={"batch_size": 32, "lr": OneCycle(5e-3)},
        ),
    ),
    detectors=(
        Detector(
            name="made",
            title="MADE 784-300-784",
            build=lambda rng: MADE(SIZE, (300,), rng=rng, binarisation="dynamic"),
            shown=25_000,
            **OF_EVERY_MODEL,
        ),
        Detector(
            name="pixelcnn",
            title="PixelCNN, 16 channels, 3 + 1 layers",
            build=lambda rng: PixelCNN(channels=16, layers=3, binarisation="dynamic", rng=rng),
            shown=12_000,
            batch=32,
            slow=True,
            **OF_EVERY_MODEL,
        ),
    ),
    reproductions=("made", "made_wide"),
    trainable=(
        Trainable(MADE, {"standard": {"hidden": (500,), "binarisation": "dynamic"}}, BINARY),
        Trainable(
            PixelCNN, {"standard": {"channels": 16, "layers": 3, "binarisation": "dynamic"}}, BINARY
        ),
    ),
    benchmarks=("made",),
)
