"""The gradient cases of autoencoders."""

from __future__ import annotations

from scratchgen.gradcheck.cases import ONE_EPOCH, Example, ModelCase
from scratchgen.models.autoencoder import PCA, Autoencoder

MODELS = (
    ModelCase(
        "Autoencoder dense",
        lambda rng, dtype: Autoencoder.dense((9, 7, 3), rng=rng, dtype=dtype),
        (5, 9),
    ),
    ModelCase(
        "Autoencoder convolutional",
        lambda rng, dtype: Autoencoder.convolutional(4, (2, 3), rng=rng, dtype=dtype),
        (3, 784),
    ),
)

EXAMPLES = (
    Example("Autoencoder", lambda rng: Autoencoder.dense((6, 5, 2), rng=rng), fit=ONE_EPOCH),
    Example("PCA", lambda rng: PCA(2)),
)
