"""Compare the objectives of GANs on digits: Fréchet distance, digit shares, failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics.samples import SampleMetrics
from scratchgen.models import WatchGame
from scratchgen.models.gan.objectives import OBJECTIVES
from scratchgen.studies.experiments import prescribed_codes
from scratchgen.training.loop import Trainer
from scratchgen.training.step import TrainingDiverged

SAMPLES = 10_000
USUAL = (prescribed_codes.LR, prescribed_codes.DISCRIMINATOR_LR)
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"objective": name} for name in OBJECTIVES},
    "hinge, spectral": {"objective": "hinge", "spectral_norm": True},
}
# Learning rates of G and D, if they are not the usual ones. One run of "hinge, spectral" with the usual ones
# ended with a recall of 0 (docs/conditional-gan.md, section 5.3).
RATES = {"hinge, spectral": (1e-3, 2e-3)}


def run(
    digits: Digits,
    metrics: SampleMetrics,
    name: str,
    epochs: int,
    seed: int,
    finish: Callable[[Trainer], Any] = Trainer.run,
) -> dict[str, Any]:
    """Train a DCGAN with one of SETTINGS; measure its samples.

    finish : runs the trainer, and may save it

    failure : the first problem that WatchGame reports, or "" without one; a run that diverges has no figures
    """
    watch = WatchGame(digits.x_test, classify=metrics.classifier.predict, rng=seed)
    model = prescribed_codes.plain(seed, **prescribed_codes.SMALL, **SETTINGS[name])
    try:
        finish(prescribed_codes.trainer(model, digits, epochs, seed, watch, rates=RATES.get(name, USUAL)))
    except TrainingDiverged as error:
        return {"failure": str(error)}
    failure = watch.findings[0].what if watch.findings else ""
    return {**quality(metrics, model.sample(SAMPLES, rng=seed)), "failure": failure}


def quality(metrics: SampleMetrics, samples: np.ndarray) -> dict[str, Any]:
    """The Fréchet distance of samples, the largest error of their digit shares, precision and recall."""
    measured = metrics.measure(samples)
    return {
        "Fréchet": measured.frechet,
        "worst share": measured.worst_share,
        "precision": measured.precision,
        "recall": measured.recall,
    }
