"""MADE 784-500-784 with one ordering on dynamically binarised MNIST: the likelihood of the test set in nats.

Published: 94.06 for 500 hidden units and one ordering, by a re-implementation of Germain et al. 2015. The
best network with one hidden layer in the paper has 8,000 units and 32 masks: see made_wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scratchgen.data import Digits, Jitter
from scratchgen.models import MADE
from scratchgen.studies.curve import Point
from scratchgen.studies.reproduce.likelihoods import JitterUntil, mean_log_prob, training_figure
from scratchgen.studies.reproduce.recipe import Measurement, Recipe
from scratchgen.studies.spaces import BINARY
from scratchgen.training.loop import Trainer
from scratchgen.training.schedules import OneCycle

SEED = 0


@dataclass(frozen=True)
class Net:
    """A network and its training.

    jitter, moved : the augmentation of the digits, and the fraction of the epochs in which it is used
    """

    hidden: int
    batch: int
    peak: float
    order: str = "natural"
    jitter: Jitter | None = None
    moved: float = 0.0


def build(net: Net, digits: Digits, epochs: int) -> Trainer:
    """The run: model, batches, schedule and seed."""
    rng = np.random.default_rng(SEED)
    model = MADE(784, (net.hidden,), rng=rng, order=net.order, binarisation="dynamic")
    return model.trainer(
        digits.x_train,
        epochs=epochs,
        batch_size=net.batch,
        lr=OneCycle(net.peak),
        rng=rng,
        callbacks=[JitterUntil(net.jitter, int(net.moved * epochs))],
    )


def measure(net: Net, trainer: Trainer, digits: Digits) -> Measurement:
    """−log p(x) of the test set, binarised once, and of training digits."""

    def finish(points: list[Point]) -> dict[str, Any]:
        moved = f"digits moved a little each time ({net.jitter}) in the first {net.moved:.0%} of them; "
        return {
            "figure": f"MADE 784-{net.hidden}-784, one ordering, {trainer.epochs} epochs: −log p(x)",
            "recipe": (
                f"dynamic binarisation; {net.order} order, degrees spread evenly; ReLU, Glorot uniform; "
                f"Adam, a one-cycle schedule up to {net.peak:g}; batch {net.batch}, {trainer.epochs} epochs; "
                f"{moved if net.jitter else ''}float32, seed {SEED}; the last weights; whole test set, "
                f"binarised once with seed {SEED}; exact"
            ),
            "other_figures": training_figure(digits, points),
        }

    return Measurement(mean_log_prob(trainer, digits, BINARY, sign=-1), finish)


def made_recipe(net: Net, **fields: Any) -> Recipe:
    """The recipe of one network."""
    return Recipe(
        unit="nats per image", every=10, build=partial(build, net), measure=partial(measure, net), **fields
    )


RECIPE = made_recipe(
    Net(hidden=500, batch=128, peak=4e-3),
    name="made",
    title="−log p(x) of MADE with 500 hidden units",
    paper=94.06,
    source="a re-implementation of Germain et al. 2015",
    epochs=400,
)
