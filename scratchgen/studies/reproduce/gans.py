"""Shared code of the reproductions of GANs: samples of the averaged generator, and their quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.models import GAN, AveragedGenerator
from scratchgen.studies.curve import Point
from scratchgen.studies.reproduce import quality
from scratchgen.studies.reproduce.recipe import Measurement, Recipe
from scratchgen.training.loop import Trainer


def sample(model: GAN, seed: int = quality.SEED) -> np.ndarray:
    """quality.SAMPLES samples, from the same codes every time."""
    samples: np.ndarray = model.sample(quality.SAMPLES, rng=np.random.default_rng(seed))
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
        metrics, samples = quality.sample_metrics(digits), Samples(trainer)

        def point() -> Point:
            return {"figure": metrics.measure(samples.average()).frechet}

        def finish(points: list[Point]) -> dict[str, Any]:
            true = metrics.measure(quality.training_digits(digits))
            averaged, last = metrics.measure(samples.average()), metrics.measure(samples.last())
            return {
                "figure": (
                    f"{title}, {trainer.epochs} epochs: Fréchet distance of {quality.SAMPLES:,} samples "
                    "from the test digits"
                ),
                "ours": round(averaged.frechet, 3),
                "recipe": f"{recipe(trainer.epochs)}; {samples.note}",
                "other_figures": {
                    "the last weights in place of the averaged ones": round(last.frechet, 2),
                    "as many training digits in place of samples": round(true.frechet, 2),
                    **quality.share_figures(averaged, metrics),
                },
                "details": quality.share_details(averaged),
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
