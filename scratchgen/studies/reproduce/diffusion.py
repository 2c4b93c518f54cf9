"""Diffusion on MNIST: the Parzen-window log-likelihood of the test set, and the quality of the samples.

Published: Sohl-Dickstein et al. 2015, "Deep unsupervised learning using nonequilibrium thermodynamics", table
2: 220 ± 1.9 nats, by the protocol of Goodfellow et al. 2014. The model here knows the class of each training
digit, which theirs did not.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.models import Diffusion
from scratchgen.studies.curve import Point
from scratchgen.studies.reproduce import denoising, quality
from scratchgen.studies.reproduce.recipe import Measurement, Recipe
from scratchgen.training.loop import Trainer

CHANNELS, SCHEDULE, PREDICTS, STEPS, ETA = (32, 64), "cosine", "v", 50, 0.0


def build(digits: Digits, epochs: int) -> Trainer:
    """The run: model, batches, schedule and seed."""
    rng = np.random.default_rng(denoising.SEED)
    model = Diffusion.convolutional(CHANNELS, schedule=SCHEDULE, predicts=PREDICTS, classes=10, rng=rng)
    return denoising.trainer_of(model, digits, epochs, rng)


def draw(model: Any, labels: np.ndarray, guidance: float) -> np.ndarray:
    """Samples by DDIM, clipped to [0, 1]."""
    x = model.sample(len(labels), rng=quality.SEED, y=labels, guidance=guidance, steps=STEPS, eta=ETA)
    return np.clip(x, 0, 1)


def measure(trainer: Trainer, digits: Digits) -> Measurement:
    """The samples' quality every few epochs and after the last one."""
    study = denoising.SampleStudy(trainer, digits, draw)

    def finish(points: list[Point]) -> dict[str, Any]:
        found = study.figures()
        return {
            "figure": (
                f"diffusion with classes, {trainer.epochs} epochs: Parzen-window log p(x), "
                f"{quality.SAMPLES:,} samples"
            ),
            "ours": round(found["parzen"], 3),
            "recipe": (
                f"U-Net with channels {CHANNELS} on 2×2 pixels at a time; 1,000 noise levels, {SCHEDULE} "
                f"schedule, the network predicts {PREDICTS}; {denoising.text(trainer.epochs)}, {STEPS} steps "
                f"of DDIM; {found['note']}; the curve has the figures of {denoising.POINT:,} "
                "samples without guidance"
            ),
            "other_figures": {
                "Fréchet distance of its samples, classifier's features": round(found["frechet"], 2),
                **found["other_figures"],
            },
            "details": found["details"],
        }

    return Measurement(partial(study.point, "parzen"), finish)


RECIPE = Recipe(
    name="diffusion",
    title="Parzen-window log-likelihood of diffusion",
    unit="nats per image, higher is better",
    paper=220.0,
    source="Sohl-Dickstein et al. 2015, table 2",
    epochs=28,
    every=7,
    build=build,
    measure=measure,
)
