"""The Wasserstein GAN with gradient penalty on MNIST, measured in the same way as DCGAN.

Source: Gulrajani et al. 2017, "Improved training of Wasserstein GANs", algorithm 1. The aims are those of
scratchgen/studies/reproduce/dcgan.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.data import Digits
from scratchgen.models import WGAN
from scratchgen.studies.reproduce.gans import frechet_recipe
from scratchgen.training.loop import Trainer
from scratchgen.training.schedules import Cosine

CODE, CHANNELS, HIDDEN = 64, (32, 64), 256
BATCH, CRITIC_STEPS, PENALTY, RATE, SEED = 64, 3, 10.0, 3e-4, 0


def build(digits: Digits, epochs: int) -> Trainer:
    """The run: model, batches, schedules and seed."""
    rng = np.random.default_rng(SEED)
    model = WGAN.convolutional(CODE, CHANNELS, hidden=HIDDEN, penalty=PENALTY, k=CRITIC_STEPS, rng=rng)
    return model.trainer(
        digits.x_train,
        epochs=epochs,
        batch_size=BATCH,
        lr=Cosine(RATE),
        discriminator_lr=Cosine(RATE),
        betas=(0.5, 0.9),
        rng=rng,
    )


def text(epochs: int) -> str:
    """The recipe as text, for the record."""
    return (
        f"latent codes of {CODE} from N(0, I), channels {CHANNELS}, {HIDDEN} hidden units behind G's code "
        f"and before D's output, batch norm in G only; penalty {PENALTY:g}, {CRITIC_STEPS} critic steps to "
        f"one of G; Adam, betas (0.5, 0.9), both on a cosine from {RATE:g}; batch {BATCH}, {epochs} epochs; "
        f"float32, seed {SEED}"
    )


RECIPE = frechet_recipe("wgan_gp", "WGAN-GP", text, build=build, epochs=25)
