"""The card of the autoencoders."""

from __future__ import annotations

from scratchgen.models import PCA, Autoencoder
from scratchgen.studies.cards.card import SIZE, Card, Form, Trainable, error_per_digit
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
                "dense": Form(
                    lambda hidden, code, rng: Autoencoder.dense((SIZE, *hidden, code), rng=rng), (400, 150), 30
                ),
                "convolutional": Form(
                    lambda hidden, code, rng: Autoencoder.convolutional(code, rng=rng), code=30
                ),
            },
            figure=error_per_digit,
        ),
    },
    interpolate_in=("latent code",),
    benchmarks=("autoencoder",),
)
