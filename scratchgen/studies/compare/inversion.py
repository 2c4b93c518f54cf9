"""The code of a picture in a model that has no encoder: looked for, by gradient descent on the code."""

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
    """Codes z (N, K) whose pictures G(z) come near X (N, D).

    Each starts from the nearest of `starts` pictures drawn at random, then come `steps` steps of Adam down
    (INV.2), on a cosine from lr. The error is not convex in z, so what is found is a code, and not the code.
    Raises ValueError for examples of another width than G's, and for steps and starts below 1.
    """
    expect_examples("invert", X, least=1)
    if steps < 1 or starts < 1:
        raise ValueError(f"invert expected steps and starts of at least 1, got {steps} and {starts}")
    drawn = model.prior_sample(starts, rng=rng)
    pictures = model.inverse_transform(drawn)
    if pictures.shape[1] != X.shape[1]:
        raise ValueError(f"invert expected examples of {pictures.shape[1]} numbers, got {X.shape}")
    nearest = np.concatenate([squared.argmin(axis=1) for _, squared in squared_distances(X, pictures)])
    z = Parameter(drawn[nearest])                               # (N, K)
    optimizer = Adam({"z": z}, Cosine(lr, steps))
    for _ in range(steps):
        _, dz = distance_and_pull(model.generator, z.value, X)
        z.grad[...] = dz
        optimizer.step()
    return z.value.copy()


def distance_and_pull(generator: Layer, z: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far G(z) lies from X, (N,), and the gradient of each distance with respect to its own code, (N, K).

    (INV.1)  distance_n = Σ_d (G(z_n)_d − x_nd)²
    (INV.2)  dz = J_Gᵀ·2(G(z) − x),  G held                      the same backward that trains G

    z (N, K), X (N, D). Derived in docs/comparison.md.
    """
    out, cache = generator.forward(z)                           # (N, D), in evaluation mode
    difference = out - X
    distance = (difference**2).sum(axis=1)                      # (INV.1)
    with generator.frozen():
        dz = generator.backward(2 * difference, cache)          # (INV.2)
    return distance, dz
