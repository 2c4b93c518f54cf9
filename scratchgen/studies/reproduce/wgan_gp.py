"""The Wasserstein GAN with gradient penalty on MNIST, measured as DCGAN is: digit shares, Fréchet distance.

Source: Gulrajani et al. 2017, "Improved training of Wasserstein GANs", algorithm 1. The aims are those of
scratchgen/reproduce/dcgan.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.models import WGAN
from scratchgen.studies.reproduce.games import judged_record
from scratchgen.studies.reproduce.record import Record
from scratchgen.training.loop import Trainer
from scratchgen.training.schedules import Cosine

CODE, CHANNELS, HIDDEN = 64, (32, 64), 256
EPOCHS, BATCH, CRITIC_STEPS, PENALTY, RATE, EVERY, SEED = 25, 64, 3, 10.0, 3e-4, 5, 0


def build(X: np.ndarray, epochs: int) -> tuple[WGAN, Trainer]:
    """The game and its run, ready to go."""
    rng = np.random.default_rng(SEED)
    model = WGAN.convolutional(
        CODE, CHANNELS, hidden=HIDDEN, penalty=PENALTY, k=CRITIC_STEPS, rng=rng
    )
    rounds = epochs * (len(X) // (BATCH * CRITIC_STEPS))
    trainer = model.trainer(
        X,
        epochs=epochs,
        batch_size=BATCH,
        lr=Cosine(RATE, rounds),
        discriminator_lr=Cosine(RATE, rounds * CRITIC_STEPS),
        betas=(0.5, 0.9),
        rng=rng,
    )
    return model, trainer


def reproduce(epochs: int | None = None, resume: bool = False) -> Record:
    """Train on the 60,000 training digits; measure 10,000 samples against the 10,000 test digits."""
    epochs = epochs or EPOCHS
    recipe = (
        f"noise of {CODE} from N(0, I), channels {CHANNELS}, {HIDDEN} hidden units behind G's code and "
        f"before D's output, batch norm in G only; penalty {PENALTY:g}, {CRITIC_STEPS} critic steps to one "
        f"of G; Adam, betas (0.5, 0.9), both on a cosine from {RATE:g}; batch {BATCH}, {epochs} epochs; "
        f"float32, seed {SEED}"
    )
    return judged_record(
        "wgan_gp", "WGAN-GP", build, recipe, epochs=epochs, every=EVERY, resume=resume, seed=SEED
    )
