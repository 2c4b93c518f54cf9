"""Flow matching on MNIST: the Fréchet distance of its samples, and exact bits per pixel of test digits.

The aims are a smaller Fréchet distance than DCGAN's within an hour on two cores, and a share within 2 points
of the test set's for every digit. The model knows the class of each training digit, which DCGAN does not.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics import bits_per_dim
from scratchgen.models import FlowMatching
from scratchgen.studies.curve import Point
from scratchgen.studies.reproduce import denoising, quality
from scratchgen.studies.reproduce.recipe import Measurement, Recipe
from scratchgen.studies.spaces import DEQUANTISED
from scratchgen.training.loop import Trainer

CHANNELS, TIMES, STEPS = (32, 64), "logit-normal", 16
LIKELIHOOD_DIGITS, LIKELIHOOD_STEPS = 1_000, 30


def build(digits: Digits, epochs: int) -> Trainer:
    """The run: model, batches, schedule and seed."""
    rng = np.random.default_rng(denoising.SEED)
    model = FlowMatching.convolutional(CHANNELS, times=TIMES, classes=10, rng=rng)
    return denoising.trainer_of(model, digits, epochs, rng)


def draw(model: Any, labels: np.ndarray, guidance: float) -> np.ndarray:
    """Samples by Heun's method, clipped to [0, 1]."""
    x = model.sample(len(labels), rng=quality.SEED, y=labels, guidance=guidance, steps=STEPS)
    return np.clip(x, 0, 1)


def likelihood(model: Any, digits: Digits) -> tuple[float, float, float]:
    """(bits/dim of test digits, its standard error, the mean change from half as many steps).

    log p(x) = log Σ_y p(y)·p(x | y) is at least log p(y) + log p(x | y) for the true class y, with the share
    of y among the training digits as p(y). That costs one class instead of ten, and at most log 10 nats.
    """
    x, y = DEQUANTISED.prepare(digits.x_test)[:LIKELIHOOD_DIGITS], digits.y_test[:LIKELIHOOD_DIGITS]
    shares = np.bincount(digits.y_train, minlength=10) / len(digits.y_train)
    found = model.log_likelihood(x, y, steps=LIKELIHOOD_STEPS, rng=quality.SEED)
    bits = bits_per_dim(found.log_prob + np.log(shares[y]), x.shape[1])
    change = float(found.error.mean() / x.shape[1] / np.log(2))
    return float(bits.mean()), float(bits.std() / np.sqrt(len(bits))), change


def measure(trainer: Trainer, digits: Digits) -> Measurement:
    """The samples' quality every few epochs and after the last one; the likelihood at the end."""
    study = denoising.SampleStudy(trainer, digits, draw)

    def finish(points: list[Point]) -> dict[str, Any]:
        found = study.figures()
        with study.averaged.applied():
            bits, error, change = likelihood(trainer.model, digits)
        n = min(LIKELIHOOD_DIGITS, len(digits.x_test))
        return {
            "figure": (
                f"flow matching with classes, {trainer.epochs} epochs: Fréchet distance of "
                f"{quality.SAMPLES:,} samples from the test digits"
            ),
            "ours": round(found["frechet"], 3),
            "recipe": (
                f"U-Net with channels {CHANNELS} on 2×2 pixels at a time; times {TIMES}; "
                f"{denoising.text(trainer.epochs)}, {STEPS} steps of Heun's method; {found['note']}; "
                f"bits/dim of {n:,} test digits dequantised once, from log p(y) + log p(x | y), with one "
                f"random direction each and {LIKELIHOOD_STEPS} steps of RK4: standard error {error:.3f}, "
                f"mean change from half as many steps {change:.3f}; the curve has the figures of "
                f"{denoising.POINT:,} samples without guidance"
            ),
            "other_figures": {
                f"bits/dim of the first {n:,} test digits, at most": round(bits, 3),
                "Parzen-window log p(x) of the samples, nats": round(found["parzen"], 2),
                **found["other_figures"],
            },
            "details": found["details"],
        }

    return Measurement(partial(study.point, "frechet"), finish)


RECIPE = Recipe(
    name="flow_matching",
    title="Fréchet distance of the samples of flow matching",
    unit="squared distance, classifier's features",
    paper=None,
    source="",
    epochs=28,
    every=7,
    build=build,
    measure=measure,
)
