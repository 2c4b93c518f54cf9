"""Compare a learned score with the exact one of a mixture of Normals, and draw the path of Langevin dynamics.

All points are on the scale of the network: standardised data with noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scratchgen.data import GaussianMixture
from scratchgen.models import Diffusion
from scratchgen.models.diffusion.score import score_given_data
from scratchgen.studies.experiments.noisy_mixture import NoisyMixture


def exact_score(mixture: GaussianMixture, model: Diffusion, x: np.ndarray, t: int) -> np.ndarray:
    """∇ log q(x_t), (N, D), if the data is the mixture; x (N, D) is on the scale of the network."""
    noisy = NoisyMixture(mixture, model.shift, model.scale)
    return noisy.score(x, model.noise.a[t], model.noise.s[t])           # (MIX.3)


def score_matching_losses(
    mixture: GaussianMixture, model: Diffusion, t: int, n: int, rng: np.random.Generator
) -> dict[str, float]:
    """The losses of a model's score at step t, with n points x_t = a·x_0 + s·eps.

    (DSM.3)  explicit  = E ‖score(x_t) − ∇ log q(x_t)‖²             needs the exact score
    (DSM.4)  denoising = E ‖score(x_t) − ∇ log q(x_t | x_0)‖²       needs only x_0 and x_t
    (DSM.5)  denoising − explicit = E ‖∇ log q(x_t | x_0) − ∇ log q(x_t)‖²      the same for all models

    Also returns the explicit loss as a share of E ‖∇ log q(x_t)‖².
    """
    a, s = model.noise.a[t], model.noise.s[t]
    x0 = (mixture.sample(n, rng=rng) - model.shift) / model.scale
    xt = a * x0 + s * rng.standard_normal(x0.shape)
    found = model.score(xt.astype(model.dtype), t)
    exact, given = exact_score(mixture, model, xt, t), score_given_data(x0, xt, a, s)

    def mean_square(x: np.ndarray) -> float:
        return float((x**2).sum(axis=1).mean())

    explicit = mean_square(found - exact)                               # (DSM.3)
    return {
        "error": explicit / mean_square(exact),
        "explicit": explicit,
        "denoising": mean_square(found - given),                        # (DSM.4)
        "left at best": mean_square(given - exact),                     # (DSM.5)
    }


def langevin_path(
    model: Diffusion, x: np.ndarray, levels: Sequence[int], steps: int, rng: np.random.Generator
) -> np.ndarray:
    """The points x (N, D) after each Langevin step at these noise levels, divided by a_t: (P, N, D)."""
    path = []
    for before, t in zip([levels[0], *levels[:-1]], levels, strict=True):
        a, s = model.noise.a[t], model.noise.s[t]
        x = x * (a / model.noise.a[before])
        for _ in range(steps):
            noise = rng.standard_normal(x.shape)
            x = x + 0.25 * s**2 * model.score(x.astype(model.dtype), t) + np.sqrt(0.5) * s * noise
            path.append(x / a)
    return np.array(path)


def shares_of_parts(mixture: GaussianMixture, x: np.ndarray) -> np.ndarray:
    """The share of the points x (N, D) whose nearest mean is that of each part, (K,)."""
    nearest = ((x[:, None] - mixture.means) ** 2).sum(axis=2).argmin(axis=1)
    return np.bincount(nearest, minlength=len(mixture.means)) / len(x)
