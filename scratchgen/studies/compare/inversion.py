"""Latent codes of images in a model without an encoder, found by gradient descent on the code."""

from __future__ import annotations

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.layers.base import Layer, Parameter
from scratchgen.metrics.pairwise import squared_distances
from scratchgen.models import GAN
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Cosine


def invert(
    model: GAN,
    X: np.ndarray,
    *,
    rng: np.random.Generator,
    steps: int = 200,
    lr: float = 0.1,
    starts: int = 500,
) -> np.ndarray:
    """Latent codes z (N, K) whose images G(z) are close to X (N, D).

    Each search starts from the code of the nearest of `starts` random images and makes `steps` steps of Adam
    along (INV.2), with a cosine schedule from lr. The error is not convex in z, so the result is a local
    minimum.

    Raises ValueError for examples of another width than G's, and for steps or starts below 1.
    """
    expect_examples("invert", X, least=1)
    if steps < 1 or starts < 1:
        raise ValueError(f"invert expected steps and starts of at least 1, got {steps} and {starts}")
    candidates = model.prior_sample(starts, rng=rng)              # (S, K)
    images = model.inverse_transform(candidates)                # (S, D)
    if images.shape[1] != X.shape[1]:
        raise ValueError(f"invert expected examples of {images.shape[1]} pixels, got {X.shape}")
    nearest = np.concatenate([squared.argmin(axis=1) for _, squared in squared_distances(X, images)])
    z = Parameter(candidates[nearest])                               # (N, K)
    optimizer = Adam({"z": z}, Cosine(lr, steps))
    for _ in range(steps):
        _, dz = distance_and_gradient(model.generator, z.value, X)
        z.grad[...] = dz
        optimizer.step()
    return z.value.copy()


def distance_and_gradient(generator: Layer, z: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The squared distance of G(z) to X, (N,), and the gradient of each with respect to its own code, (N, K).

    (INV.1)  distance_n = Σ_d (G(z_n)_d − x_nd)²
    (INV.2)  dz = J_Gᵀ·2(G(z) − x),  G frozen                    the same backward that trains G

    z (N, K), X (N, D). Derived in docs/comparison.md.
    """
    out, cache = generator.forward(z)                           # (N, D), in evaluation mode
    difference = out - X
    distance = (difference**2).sum(axis=1)                      # (INV.1)
    with generator.frozen():
        dz = generator.backward(2 * difference, cache)          # (INV.2)
    return distance, dz
