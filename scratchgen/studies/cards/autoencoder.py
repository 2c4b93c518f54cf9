"""The card of the autoencoders."""

from __future__ import annotations

from scratchgen.models import PCA, Autoencoder
from scratchgen.studies.cards.card import SIZE, Card, Trainable
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
    trainable=(
        Trainable(
            Autoencoder, {"dense": {"hidden": (400, 150), "code": 30}, "convolutional": {"code": 30}}
        ),
        Trainable(PCA, {"standard": {"n_components": 30}}),
    ),
    interpolate_in=("latent code",),
    benchmarks=("autoencoder",),
)
