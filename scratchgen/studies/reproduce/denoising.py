"""Shared code of the reproductions of diffusion and flow matching: the run, and the quality of its samples.

Models of pixels know the class of each training digit, and their samples are drawn for the classes that the
training digits have. The strength of the guidance is the one whose samples are nearest to training digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics import accuracy, frechet_distance
from scratchgen.models.diffusion.base import DenoisingModel
from scratchgen.studies.curve import Point
from scratchgen.studies.reproduce import quality
from scratchgen.training import AveragedWeights, Cosine, Muon
from scratchgen.training.loop import Trainer

BATCH, RATE, SCALE, DECAY, SEED = 32, 2.5e-3, 0.4, 0.9995, 0
POINT, TRIAL = 1_000, 2_500     # samples of a point of the curve, and for choosing the guidance
GUIDANCE = 0.0, 0.25, 0.5, 1.0

Draw = Callable[[Any, np.ndarray, float], np.ndarray]      # (model, labels, guidance) -> samples


def trainer_of(model: DenoisingModel, digits: Digits, epochs: int, rng: np.random.Generator) -> Trainer:
    """The run on the training digits that are not held out, with their labels."""
    train, _ = quality.split(digits)
    return model.trainer(
        train,
        digits.y_train[: len(train)] if model.classes else None,
        epochs=epochs,
        batch_size=BATCH,
        lr=Cosine(RATE),
        optimizer=partial(Muon, scale=SCALE),
        rng=rng,
    )


def text(epochs: int) -> str:
    """The part of the recipe that the reproductions share."""
    return (
        f"Muon (momentum 0.95, steps scaled by {SCALE:g}; Adam for biases and gains) on a cosine from "
        f"{RATE:g}; batch {BATCH}, {epochs} epochs; float32, seed {SEED}; samples by averaged weights "
        f"(decay {DECAY:g})"
    )


def drawn_labels(digits: Digits, n: int) -> np.ndarray:
    """The classes of n training digits, drawn with a fixed seed."""
    return np.random.default_rng(SEED).permutation(digits.y_train)[:n]


class SampleStudy:
    """Measures the samples of a run's model, drawn with the averaged weights.

    draw : (model, labels, guidance) -> samples (n, D) in [0, 1]
    """

    def __init__(self, trainer: Trainer, digits: Digits, draw: Draw):
        model: Any = trainer.model
        self.trainer, self.digits, self.draw, self.classes = trainer, digits, draw, model.classes
        self.metrics = quality.sample_metrics(digits)
        self.averaged = AveragedWeights(DECAY)
        trainer.callbacks.append(self.averaged)

    def samples(self, n: int, guidance: float) -> np.ndarray:
        """Samples of the averaged weights, from the same noise every time."""
        with self.averaged.applied():
            return self.draw(self.trainer.model, drawn_labels(self.digits, n), guidance)

    def point(self, figure: str) -> Point:
        """The Fréchet distance and the Parzen-window log-likelihood of POINT samples without guidance.

        With few samples both are worse than with many, also for true digits.

        figure : which of the two is the figure of the curve, "frechet" or "parzen"
        """
        samples, (_, held_out) = self.samples(POINT, 0.0), quality.split(self.digits)
        nats, _, _ = quality.parzen(samples, held_out, self.digits.x_test)
        found = {"frechet": self.metrics.measure(samples).frechet, "parzen": nats}
        return {"figure": found.pop(figure), **found}

    def choose_guidance(self) -> tuple[float, dict[float, float]]:
        """The strength whose samples are nearest to training digits, and the distances of all strengths."""
        if not self.classes:
            return 0.0, {}
        features = self.metrics.classifier.features
        true = features(quality.training_digits(self.digits))
        distances = {
            w: frechet_distance(features(self.samples(min(TRIAL, len(true)), w)), true) for w in GUIDANCE
        }
        return min(distances, key=lambda w: distances[w]), distances

    def figures(self) -> dict[str, Any]:
        """The Fréchet distance, the Parzen-window log-likelihood, other figures and details of a record."""
        guidance, distances = self.choose_guidance()
        n = min(quality.SAMPLES, len(self.digits.y_train))
        samples, labels = self.samples(n, guidance), drawn_labels(self.digits, n)
        _, held_out = quality.split(self.digits)
        nats, error, sigma = quality.parzen(samples, held_out, self.digits.x_test)
        found, metrics = self.metrics.measure(samples), self.metrics
        true = metrics.measure(quality.training_digits(self.digits))
        other = {"Fréchet distance of as many training digits in place of samples": round(true.frechet, 2)}
        note = (
            f"Parzen windows of sigma {sigma:.3f}, the best of 25 on {len(held_out):,} training digits left "
            f"out; the mean over the whole test set, standard error {error:.1f}"
        )
        if self.classes:
            trials = ", ".join(f"{w:g}: {distance:.1f}" for w, distance in distances.items())
            note = (
                f"labels drawn from the training digits, guidance {guidance:g}, chosen by the distance of "
                f"{TRIAL:,} samples from training digits ({trials}); {note}"
            )
            read = accuracy(metrics.classifier.predict(samples), labels)
            other["samples that the classifier reads as the digit asked for, %"] = round(100 * read, 2)
        return {
            "frechet": found.frechet,
            "parzen": nats,
            "note": note,
            "other_figures": {**other, **quality.share_figures(found, metrics)},
            "details": quality.share_details(found),
        }
