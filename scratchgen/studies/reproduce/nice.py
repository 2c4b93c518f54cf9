"""NICE with four couplings of five hidden layers of 1,000: the log-likelihood of dequantised MNIST in nats.

Published: Dinh, Krueger & Bengio 2014, "NICE: non-linear independent components estimation", figure 3:
1980.50 nats, after 1,500 epochs. It is a density of pixels in [0, 1], so more is better; in bits per pixel
that is 4.356 (metrics.bits_per_dim).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scratchgen.data import Digits, Jitter, dequantise, load_digits
from scratchgen.metrics import bits_per_dim
from scratchgen.models import NICE
from scratchgen.studies.reproduce.likelihoods import Curve, MoveUntil
from scratchgen.studies.reproduce.record import Record, machine
from scratchgen.training.loop import Trainer
from scratchgen.training.runs import expect_place, run_saved
from scratchgen.training.schedules import OneCycle

HIDDEN, COUPLINGS = (1000,) * 5, 4
EPOCHS, BATCH, PEAK, SEED = 45, 200, 3e-3, 0
JITTER = Jitter(turn=0.06, stretch=0.035, slant=0.06, shift=0.3, keep=0.5)
MOVED = 0.9  # share of the epochs in which digits are moved; the last ones show them as they are
EVERY = 3  # epochs between two points of the curve
RUN = Path("runs/reproduce-nice.safetensors")


def build(digits: Digits, epochs: int) -> tuple[NICE, Trainer]:
    """The model and its run: batches, schedule and seed, ready to go."""
    rng = np.random.default_rng(SEED)
    model = NICE.dense(784, HIDDEN, COUPLINGS, prior="logistic", levels=256, rng=rng)
    schedule = OneCycle(PEAK, epochs * -(-len(digits.x_train) // BATCH))
    return model, model.trainer(
        digits.x_train,
        epochs=epochs,
        batch_size=BATCH,
        lr=schedule,
        rng=rng,
        callbacks=[MoveUntil(JITTER, int(MOVED * epochs))],
    )


def reproduce(epochs: int | None = None, resume: bool = False) -> Record:
    """Train on the 60,000 training digits and measure on all 10,000 test digits, dequantised once."""
    epochs = epochs or EPOCHS
    config = {"run": "nice", "epochs": epochs}
    expect_place(RUN, resume=resume, config=config)
    digits = load_digits("full")
    print(digits.source)
    model, trainer = build(digits, epochs)
    shown = digits.x_test, digits.x_train[: len(digits.x_test)]
    test, train = (dequantise(x, rng=np.random.default_rng(SEED)) for x in shown)
    curve = Curve(test, train, EVERY)
    trainer.callbacks.append(curve)
    history = run_saved(trainer, RUN, resume=resume, config=config, every=EVERY)
    ours, fitted = curve.points()[-1]["figure"], curve.points()[-1]["train"]
    bits = float(bits_per_dim(np.array([ours]), 784)[0])
    return Record(
        name="nice",
        figure=f"NICE, 4 couplings of 5 × 1,000, {epochs} epochs: log p(x), {bits:.3f} bits/dim",
        unit="nats per image, higher is better",
        paper=1980.50,
        source="Dinh et al. 2014, figure 3",
        ours=ours,
        seconds=history.seconds,
        machine=machine(),
        recipe=(
            f"uniform noise of 1/256 drawn anew each time; odd/even split, logistic prior; ReLU, He normal, "
            f"last layers at zero; the scaling layer starts from the data's spread, each conditioner ends "
            f"in a scaling layer, which starts at the spread of the pixels it moves; Adam on a one-cycle "
            f"schedule up to {PEAK:g}; batch {BATCH}, {epochs} epochs; digits moved a little each time "
            f"({JITTER}) in the first {MOVED:.0%} of them; float32, seed {SEED}; the last weights; whole "
            f"test set, dequantised once with seed {SEED}; exact"
        ),
        curve=curve.points(),
        beside={f"the first {len(train):,} training digits": fitted},
    )
