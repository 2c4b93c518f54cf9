"""Compare the objectives of GANs on digits over several seeds: Fréchet distance, digit shares, failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics.samples import SampleMetrics
from scratchgen.models import WatchGame
from scratchgen.models.gan.objectives import OBJECTIVES
from scratchgen.studies.experiments import prescribed_codes
from scratchgen.training.step import TrainingDiverged

SAMPLES = 10_000
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"objective": name} for name in OBJECTIVES},
    "hinge, spectral": {"objective": "hinge", "spectral_norm": True},
}


def run(digits: Digits, metrics: SampleMetrics, name: str, shown: int, seed: int) -> dict[str, Any]:
    """Train a DCGAN with one of SETTINGS; measure its samples.

    failure : the first problem that WatchGame reports, or "" without one; a run that diverges has no figures
    """
    watch = WatchGame(digits.x_test, classify=metrics.classifier.predict, rng=seed)
    try:
        model = prescribed_codes.plain(digits, shown, seed, watch, **SETTINGS[name])
    except TrainingDiverged as error:
        return {"Fréchet": np.nan, "worst share": np.nan, "failure": str(error)}
    quality = metrics.measure(model.sample(SAMPLES, rng=seed))
    failure = watch.findings[0].what if watch.findings else ""
    return {"Fréchet": quality.frechet, "worst share": quality.worst_share, "failure": failure}


def table(
    digits: Digits, metrics: SampleMetrics, shown: int, seeds: Sequence[int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A row for each of SETTINGS, as soon as its runs are done: means and ranges over the seeds."""
    for name in SETTINGS:
        runs = [run(digits, metrics, name, shown, seed) for seed in seeds]
        row: dict[str, Any] = {}
        for column in ("Fréchet", "worst share"):
            values = np.array([result[column] for result in runs])
            values = values[np.isfinite(values)]
            if len(values):
                row |= {column: values.mean(), f"{column}, largest": values.max()}
        yield name, row | {"failures": sum(bool(result["failure"]) for result in runs)}
