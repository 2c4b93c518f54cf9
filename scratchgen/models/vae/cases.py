"""The gradient cases of variational autoencoders."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import ModelCase
from scratchgen.models.vae import VAE, ClassPriorVAE, ConditionalVAE, NormalPixels


def _class_prior_vae(rng: np.random.Generator, dtype: Any) -> ClassPriorVAE:
    model = ClassPriorVAE.dense((9, 7, 3), rng=rng, dtype=dtype, classes=4, beta=0.6)
    model.means.value[...] = rng.standard_normal(model.means.shape)     # at 0, mu − m_y would equal mu
    return model


MODELS = (
    ModelCase(
        "VAE dense", lambda rng, dtype: VAE.dense((9, 7, 3), rng=rng, dtype=dtype, beta=0.6), (5, 9)
    ),
    ModelCase(
        "VAE dense, Normal pixels",
        lambda rng, dtype: VAE.dense((9, 7, 3), rng=rng, dtype=dtype, observation=NormalPixels(0.7)),
        (5, 9),
    ),
    # With 784 Bernoulli pixels the loss would be 540 nats, and its rounding errors near the tolerance, 1e-8.
    ModelCase(
        "VAE convolutional",
        lambda rng, dtype: VAE.convolutional(
            4, (2, 3), rng=rng, dtype=dtype, observation=NormalPixels(2)
        ),
        (3, 784),
    ),
    ModelCase(
        "ConditionalVAE",
        lambda rng, dtype: ConditionalVAE.dense((9, 7, 3), rng=rng, dtype=dtype, classes=4, beta=0.6),
        (5, 9),
        classes=4,
    ),
    ModelCase("ClassPriorVAE", _class_prior_vae, (5, 9), classes=4),
)
