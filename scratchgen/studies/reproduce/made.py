"""MADE 784-500-784 with one ordering on dynamically binarised MNIST: the likelihood of the test set in nats.

Published: 94.06 for 500 hidden units and one ordering, by a re-implementation of Germain et al. 2015. The
paper's own best net of one hidden layer has 8,000 units and 32 masks: see made_wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scratchgen.data import Digits, Jitter, binarise, load_digits
from scratchgen.models import MADE
from scratchgen.studies.reproduce.likelihoods import Curve, MoveUntil
from scratchgen.studies.reproduce.record import Record, machine
from scratchgen.training.loop import Trainer
from scratchgen.training.runs import expect_place, run_saved
from scratchgen.training.schedules import OneCycle

SEED = 0
EVERY = 10  # epochs between two points of the curve


@dataclass(frozen=True)
class Recipe:
    """A net and how it is trained; digits are moved by `jitter` in the first `moved` share of the epochs."""

    name: str
    hidden: int
    epochs: int
    batch: int
    peak: float
    order: str = "natural"
    jitter: Jitter | None = None
    moved: float = 0.0


RECIPE = Recipe("made", hidden=500, epochs=400, batch=128, peak=4e-3)


def build(recipe: Recipe, digits: Digits, epochs: int) -> tuple[MADE, Trainer]:
    """The model and its run: batches, schedule and seed, ready to go."""
    rng = np.random.default_rng(SEED)
    model = MADE(784, (recipe.hidden,), rng=rng, order=recipe.order, binarisation="dynamic")
    schedule = OneCycle(recipe.peak, epochs * -(-len(digits.x_train) // recipe.batch))
    moves = MoveUntil(recipe.jitter, int(recipe.moved * epochs))
    return model, model.trainer(
        digits.x_train, epochs=epochs, batch_size=recipe.batch, lr=schedule, rng=rng, callbacks=[moves]
    )


def run_recipe(recipe: Recipe, paper: float, source: str, epochs: int | None, resume: bool) -> Record:
    """Train on the 60,000 training digits and measure on all 10,000 test digits, binarised once."""
    epochs = epochs or recipe.epochs
    place, config = Path(f"runs/reproduce-{recipe.name}.safetensors"), {"run": recipe.name, "epochs": epochs}
    expect_place(place, resume=resume, config=config)
    digits = load_digits("full")
    print(digits.source)
    model, trainer = build(recipe, digits, epochs)
    print(model.data_note)
    shown = digits.x_test, digits.x_train[: len(digits.x_test)]
    test, train = (binarise(x, rng=np.random.default_rng(SEED)) for x in shown)
    curve = Curve(test, train, EVERY, sign=-1)
    trainer.callbacks.append(curve)
    history = run_saved(trainer, place, resume=resume, config=config, every=EVERY)
    ours, fitted = curve.points()[-1]["figure"], curve.points()[-1]["train"]
    moved = f"digits moved a little each time ({recipe.jitter}) in the first {recipe.moved:.0%} of them; "
    return Record(
        name=recipe.name,
        figure=f"MADE 784-{recipe.hidden}-784, one ordering, {epochs} epochs: −log p(x)",
        unit="nats per image",
        paper=paper,
        source=source,
        ours=ours,
        seconds=history.seconds,
        machine=machine(),
        recipe=(
            f"dynamic binarisation; {recipe.order} order, degrees spread evenly; ReLU, Glorot uniform; Adam, "
            f"a one-cycle schedule up to {recipe.peak:g}; batch {recipe.batch}, {epochs} epochs; "
            f"{moved if recipe.jitter else ''}float32, seed {SEED}; the last weights; whole test set, "
            f"binarised once with seed {SEED}; exact"
        ),
        curve=curve.points(),
        beside={f"the first {len(train):,} training digits": fitted},
    )


def reproduce(epochs: int | None = None, resume: bool = False) -> Record:
    """The net of 500 hidden units and one ordering."""
    return run_recipe(RECIPE, 94.06, "a re-implementation of Germain et al. 2015", epochs, resume)
