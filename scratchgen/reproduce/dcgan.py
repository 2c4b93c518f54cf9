"""DCGAN on MNIST: how its samples' digits are shared out, and how far its samples lie from the test digits.

Aim: every digit within 4 points of its share, by a classifier that is right on at least 99 % of the test set,
and a smaller Fréchet distance than the dense GAN's, in that classifier's features.

Of trials of two epochs, with 5e-4 for D: 143 without a hidden layer in D, 107 with one, 160 with dropout of
0.3 besides; with a hidden layer in G as well all samples became one picture. The rate of D was then lowered
without a trial of its own. docs/gan.md, section 13, says why the layer matters.
"""

from __future__ import annotations

import numpy as np

from scratchgen.models import DCGAN
from scratchgen.reproduce.games import judged_record
from scratchgen.reproduce.record import Record
from scratchgen.schedules import Cosine
from scratchgen.training import Trainer

CODE, CHANNELS, HIDDEN = 64, (32, 64), 256
EPOCHS, BATCH, RATE, DISCRIMINATOR_RATE, EVERY, SEED = 20, 64, 1e-3, 2e-4, 4, 0


def build(X: np.ndarray, epochs: int) -> tuple[DCGAN, Trainer]:
    """The game and its run, ready to go."""
    rng = np.random.default_rng(SEED)
    model = DCGAN(CODE, CHANNELS, hidden=HIDDEN, rng=rng)
    steps = epochs * (len(X) // BATCH)
    trainer = model.trainer(
        X,
        epochs=epochs,
        batch_size=BATCH,
        lr=Cosine(RATE, steps),
        discriminator_lr=Cosine(DISCRIMINATOR_RATE, steps),
        betas=(0.5, 0.999),
        rng=rng,
    )
    return model, trainer


def reproduce(epochs: int | None = None, resume: bool = False) -> Record:
    """Train on the 60,000 training digits; measure 10,000 samples against the 10,000 test digits."""
    epochs = epochs or EPOCHS
    recipe = (
        f"noise of {CODE} from N(0, I), channels {CHANNELS}, batch norm, {HIDDEN} hidden units before D's "
        f"logit; non-saturating loss; Adam, betas (0.5, 0.999), G on a cosine from {RATE:g}, D from "
        f"{DISCRIMINATOR_RATE:g}; batch {BATCH}, {epochs} epochs; float32, seed {SEED}"
    )
    return judged_record(
        "dcgan", "DCGAN", build, recipe, epochs=epochs, every=EVERY, resume=resume, seed=SEED
    )
