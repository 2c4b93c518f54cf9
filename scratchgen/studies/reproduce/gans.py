"""Shared code of the reproductions of GANs: samples of the averaged generator, and their quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics.samples import SampleMetrics, SampleQuality
from scratchgen.models import GAN, AveragedGenerator
from scratchgen.studies.curve import Point
from scratchgen.studies.digit_classifier import trained_digit_classifier
from scratchgen.studies.reproduce.recipe import Measurement, Recipe
from scratchgen.training.loop import Trainer

SAMPLES, SEED = 10_000, 0


def sample_metrics(digits: Digits) -> SampleMetrics:
    """Sample metrics against the test digits, with the trained digit classifier."""
    return SampleMetrics(trained_digit_classifier(digits), digits.x_test, digits.y_test)


def sample(model: GAN, seed: int = SEED) -> np.ndarray:
    """SAMPLES samples, from the same codes every time."""
    samples: np.ndarray = model.sample(SAMPLES, rng=np.random.default_rng(seed))
    return samples


class Samples:
    """Samples of a run's model, with the averaged weights of its generator or with the last weights."""

    def __init__(self, trainer: Trainer):
        model: Any = trainer.model
        self.model, self.averaged = model, AveragedGenerator(model)
        trainer.callbacks.append(self.averaged)

    def average(self) -> np.ndarray:
        """Samples with the averaged weights."""
        with self.averaged.applied():
            return sample(self.model)

    def last(self) -> np.ndarray:
        """Samples with the last weights."""
        return sample(self.model)

    @property
    def note(self) -> str:
        """One clause for a recipe."""
        return f"samples by the generator's averaged weights (decay {self.averaged.decay:g})"


def share_figures(quality: SampleQuality, metrics: SampleMetrics) -> dict[str, float]:
    """The largest error of the samples' digit shares, and the accuracy of the digit classifier."""
    return {
        "largest difference of a digit's share from the test set's, in points": round(quality.worst_share, 2),
        "the classifier's own accuracy on test digits, %": round(100 * metrics.accuracy, 2),
    }


def share_details(quality: SampleQuality) -> dict[str, list[float]]:
    """The shares of the digits from 0 to 9 in per cent, with standard errors, and those of the test set."""
    rows = {
        "samples": quality.shares.share,
        "standard error": quality.shares.error,
        "test digits": quality.expected,
    }
    return {name: np.round(100 * values, 2).tolist() for name, values in rows.items()}


def frechet_recipe(
    name: str,
    title: str,
    recipe: Callable[[int], str],
    *,
    build: Callable[[Digits, int], Trainer],
    **fields: Any,
) -> Recipe:
    """The recipe of a GAN that is measured by the Fréchet distance of its samples from the test digits.

    recipe : epochs -> the text of the record's recipe
    """

    def measure(trainer: Trainer, digits: Digits) -> Measurement:
        metrics, samples = sample_metrics(digits), Samples(trainer)

        def point() -> Point:
            return {"figure": metrics.measure(samples.average()).frechet}

        def finish(points: list[Point]) -> dict[str, Any]:
            quality, last = metrics.measure(samples.average()), metrics.measure(samples.last())
            true = np.random.default_rng(SEED).permutation(digits.x_train)[:SAMPLES]
            return {
                "figure": (
                    f"{title}, {trainer.epochs} epochs: Fréchet distance of {SAMPLES:,} samples from the "
                    f"test digits"
                ),
                "ours": round(quality.frechet, 3),
                "recipe": f"{recipe(trainer.epochs)}; {samples.note}",
                "other_figures": {
                    "the last weights in place of the averaged ones": round(last.frechet, 2),
                    "as many training digits in place of samples": round(metrics.measure(true).frechet, 2),
                    **share_figures(quality, metrics),
                },
                "details": share_details(quality),
            }

        return Measurement(point, finish)

    return Recipe(
        name=name,
        title=f"Fréchet distance of the samples of a {title}",
        unit="squared distance, classifier's features",
        paper=None,
        source="",
        every=5,
        build=build,
        measure=measure,
        **fields,
    )
