"""The card of the generative adversarial networks."""

from __future__ import annotations

import numpy as np

from scratchgen.models import DCGAN, GAN, WGAN, ConditionalGAN, InfoGAN
from scratchgen.studies.cards.card import Card, Trainable
from scratchgen.studies.compare.contender import Contender, Latent
from scratchgen.studies.compare.inversion import invert
from scratchgen.studies.ood.scores import (
    ERROR,
    LOGIT,
    NO_ENCODER,
    WITHOUT_LIKELIHOOD,
    Detector,
    minus_logit,
)
from scratchgen.studies.spaces import GREY, SEED
from scratchgen.training.schedules import Cosine


def search_code(model: GAN, X: np.ndarray) -> np.ndarray:
    """Latent codes of X by gradient descent, as a GAN has no encoder."""
    return invert(model, X, rng=np.random.default_rng(SEED + 1))


CARD = Card(
    title="GAN",
    contenders=(
        Contender(
            name="DCGAN, code of 32",
            family="GAN",
            space=GREY,
            minimises="D's estimate of a JSD",
            build=lambda rng: DCGAN(32, (16, 32), rng=rng),
            settings={"batch_size": 64, "lr": Cosine(1e-3), "discriminator_lr": Cosine(5e-4)},
            latent=Latent("deterministic", encode=search_code),
        ),
    ),
    detectors=(
        Detector(
            name="gan",
            title="GAN, dense, 2 × 300 each",
            build=lambda rng: GAN.dense(32, (300, 300), rng=rng),
            scores={LOGIT: minus_logit},
            lacks={**WITHOUT_LIKELIHOOD, ERROR: NO_ENCODER},
            shown=20_000,
            lr=Cosine(5e-4),
        ),
    ),
    reproductions=("gan", "dcgan", "wgan_gp"),
    trainable=(
        Trainable(GAN, {"dense": {"hidden": (400, 400), "code": 100}}),
        Trainable(DCGAN, {"standard": {"code": 64}}),
        Trainable(
            ConditionalGAN,
            {"dense": {"hidden": (400, 400), "code": 100}, "convolutional": {"code": 64, "hidden": 256}},
        ),
        Trainable(
            InfoGAN,
            {"dense": {"hidden": (400, 400), "code": 74}, "convolutional": {"code": 74, "hidden": 256}},
        ),
        Trainable(WGAN, {"dense": {"hidden": (400, 400), "code": 100}, "convolutional": {"code": 64}}),
    ),
    interpolate_in=("latent code",),
    benchmarks=("gan", "dcgan", "wgan_gp"),
)
