"""The gradient cases of autoencoders."""

from __future__ import annotations

from scratchgen.gradcheck.cases import ModelCase
from scratchgen.models.autoencoder import Autoencoder

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
