"""The card of the autoencoders."""

from __future__ import annotations

from scratchgen.models import PCA, Autoencoder
from scratchgen.studies.cards.card import SIZE, Card, Trainable, error_per_digit
from scratchgen.studies.ood.scores import (
    DENSITY,
    ERROR,
    LOGIT,
    NO_DISCRIMINATOR,
    WITH_EXACT_DENSITY,
    WITHOUT_LIKELIHOOD,
    Detector,
    minus_log_p,
    reconstruction_error,
)

CARD = Card(
    title="autoencoder",
    detectors=(
        Detector(
            name="pca",
            title="PCA, 30 components",
            build=lambda rng: PCA(30),
            scores={DENSITY: minus_log_p, ERROR: reconstruction_error},
            density=DENSITY,
            lacks=WITH_EXACT_DENSITY,
        ),
        Detector(
            name="autoencoder",
            title="autoencoder 784-256-30",
            build=lambda rng: Autoencoder.dense((SIZE, 256, 30), rng=rng),
            scores={ERROR: reconstruction_error},
            lacks={**WITHOUT_LIKELIHOOD, LOGIT: NO_DISCRIMINATOR},
            shown=25_000,
        ),
    ),
    reproductions=("autoencoder",),
    trainable={
        "autoencoder": Trainable(
            forms={
                "dense": lambda rng, hidden=(400, 150), code=30: Autoencoder.dense(
                    (SIZE, *hidden, code), rng=rng
                ),
                "convolutional": lambda rng, code=30: Autoencoder.convolutional(code, rng=rng),
            },
            figure=error_per_digit,
        ),
    },
    interpolate_in=("latent code",),
    benchmarks=("autoencoder",),
)
