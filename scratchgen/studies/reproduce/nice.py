"""NICE with four couplings of five hidden layers of 1,000: the log-likelihood of dequantised MNIST in nats.

Published: Dinh, Krueger & Bengio 2014, "NICE: non-linear independent components estimation", figure 3:
1980.50 nats, after 1,500 epochs. It is a density of pixels in [0, 1], so higher is better; in bits per pixel
it is 4.356 (metrics.bits_per_dim).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.data import Digits, Jitter
from scratchgen.metrics import bits_per_dim
from scratchgen.models import NICE
from scratchgen.studies.curve import Point
from scratchgen.studies.reproduce.likelihoods import JitterUntil, mean_log_prob, training_figure
from scratchgen.studies.reproduce.recipe import Measurement, Recipe
from scratchgen.studies.spaces import DEQUANTISED
from scratchgen.training.loop import Trainer
from scratchgen.training.schedules import OneCycle

HIDDEN, COUPLINGS = (1000,) * 5, 4
BATCH, PEAK, SEED = 200, 3e-3, 0
JITTER = Jitter(turn=0.06, stretch=0.035, slant=0.06, shift=0.3, keep=0.5)
MOVED = 0.9  # fraction of the epochs in which digits are moved; the last epochs use unchanged digits


def build(digits: Digits, epochs: int) -> Trainer:
    """The run: model, batches, schedule and seed."""
    rng = np.random.default_rng(SEED)
    model = NICE.dense(784, HIDDEN, COUPLINGS, prior="logistic", levels=256, rng=rng)
    return model.trainer(
        digits.x_train,
        epochs=epochs,
        batch_size=BATCH,
        lr=OneCycle(PEAK),
        rng=rng,
        callbacks=[JitterUntil(JITTER, int(MOVED * epochs))],
    )


def measure(trainer: Trainer, digits: Digits) -> Measurement:
    """log p(x) of the test set, dequantised once, and of training digits."""

    def finish(points: list[Point]) -> dict[str, Any]:
        bits = float(bits_per_dim(np.array([points[-1]["figure"]]), 784)[0])
        return {
            "figure": (
                f"NICE, 4 couplings of 5 × 1,000, {trainer.epochs} epochs: log p(x), {bits:.3f} bits/dim"
            ),
            "recipe": (
                f"uniform noise of 1/256 sampled anew each time; odd/even split, logistic prior; ReLU, He "
                f"normal, last layers at zero; the scaling layer starts from the data's spread, each "
                f"conditioner ends in a scaling layer, which starts at the spread of the pixels it moves; "
                f"Adam on a one-cycle schedule up to {PEAK:g}; batch {BATCH}, {trainer.epochs} epochs; "
                f"digits moved a little each time ({JITTER}) in the first {MOVED:.0%} of them; float32, "
                f"seed {SEED}; the last weights; whole test set, dequantised once with seed {SEED}; exact"
            ),
            "other_figures": training_figure(digits, points),
        }

    return Measurement(mean_log_prob(trainer, digits, DEQUANTISED), finish)


RECIPE = Recipe(
    name="nice",
    title="log p(x) of NICE on dequantised pixels",
    unit="nats per image, higher is better",
    paper=1980.50,
    source="Dinh et al. 2014, figure 3",
    epochs=45,
    every=3,
    build=build,
    measure=measure,
)
