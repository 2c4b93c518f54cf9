"""DCGAN on MNIST: how its samples' digits are shared out, and how far its samples lie from the test digits.

Aim: every digit within 4 points of its share, by a classifier that is right on at least 99 % of the test set,
and a smaller Fréchet distance than the dense GAN's, in that classifier's features.

Of trials of three epochs, with 2e-4 for D and 256 hidden units in it: 89 without a hidden layer in G, 52 with
one of 512, 47 with one of 1,024, 36 with one of 512 and 2e-3 in place of 1e-3 for G; and 50 with 512 in both.
The last two together had no trial of their own. Why the layers matter, docs/gan.md says, section 13.
"""

from __future__ import annotations

import numpy as np

from scratchgen.models import DCGAN
from scratchgen.studies.reproduce.games import cosine_run, judged_record
from scratchgen.studies.reproduce.record import Record
from scratchgen.training.loop import Trainer

CODE, CHANNELS, HIDDEN = 64, (32, 64), 512
EPOCHS, BATCH, RATE, DISCRIMINATOR_RATE, EVERY, SEED = 25, 64, 2e-3, 2e-4, 5, 0


def build(X: np.ndarray, epochs: int) -> tuple[DCGAN, Trainer]:
    """The game and its run, ready to go."""
    rng = np.random.default_rng(SEED)
    model = DCGAN(CODE, CHANNELS, hidden=HIDDEN, rng=rng)
    rates = {"rate": RATE, "discriminator_rate": DISCRIMINATOR_RATE}
    return model, cosine_run(model, X, epochs=epochs, batch=BATCH, **rates, rng=rng)


def reproduce(epochs: int | None = None, resume: bool = False) -> Record:
    """Train on the 60,000 training digits; measure 10,000 samples against the 10,000 test digits."""
    epochs = epochs or EPOCHS
    recipe = (
        f"noise of {CODE} from N(0, I), channels {CHANNELS}, batch norm, {HIDDEN} hidden units behind G's "
        f"code and before D's logit; non-saturating loss; Adam, betas (0.5, 0.999), G on a cosine from "
        f"{RATE:g}, D from {DISCRIMINATOR_RATE:g}; batch {BATCH}, {epochs} epochs; float32, seed {SEED}"
    )
    return judged_record(
        "dcgan", "DCGAN", build, recipe, epochs=epochs, every=EVERY, resume=resume, seed=SEED
    )
