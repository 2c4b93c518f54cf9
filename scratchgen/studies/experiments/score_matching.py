"""Compare a learned score with the exact one of a mixture of Normals, and Langevin dynamics with its shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.data import GaussianMixture
from scratchgen.models import Diffusion
from scratchgen.models.diffusion.score import score_given_data


def noised(mixture: GaussianMixture, a: float, s: float) -> GaussianMixture:
    """The density of a·x + s·noise, which is again a mixture of Normals."""
    return GaussianMixture(mixture.weights, a * mixture.means, np.sqrt((a * mixture.stds) ** 2 + s**2))


def mixture_score(mixture: GaussianMixture, x: np.ndarray) -> np.ndarray:
    """∇ log p(x) of a mixture, (N, D): the mean of the pulls (m_k − x)/s_k², weighted by p(k | x)."""
    away = mixture.means - x[:, None]                                   # (N, K, D)
    log_p = np.log(mixture.weights) - mixture.dim * np.log(mixture.stds)
    log_p = log_p - 0.5 * (away**2).sum(axis=2) / mixture.stds**2       # (N, K)
    shares = np.exp(log_p - np.logaddexp.reduce(log_p, axis=1, keepdims=True))
    return ((shares / mixture.stds**2)[:, :, None] * away).sum(axis=1)


def score_matching_losses(
    score: Callable[[np.ndarray], np.ndarray],
    mixture: GaussianMixture,
    a: float,
    s: float,
    n: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """The losses of a score at one noise level, with n points x_t = a·x_0 + s·eps.

    (DSM.3)  explicit  = E ‖score(x_t) − ∇ log q(x_t)‖²             needs the exact score
    (DSM.4)  denoising = E ‖score(x_t) − ∇ log q(x_t | x_0)‖²       needs only x_0 and x_t
    (DSM.5)  denoising − explicit = E ‖∇ log q(x_t | x_0) − ∇ log q(x_t)‖²      whatever the score is

    Returns both, their difference as (DSM.5) predicts it, and E ‖∇ log q(x_t)‖².
    """
    x0 = mixture.sample(n, rng=rng)
    xt = a * x0 + s * rng.standard_normal(x0.shape)
    found, exact, given = score(xt), mixture_score(noised(mixture, a, s), xt), score_given_data(x0, xt, a, s)

    def mean_square(x: np.ndarray) -> float:
        return float((x**2).sum(axis=1).mean())

    return {
        "explicit": mean_square(found - exact),                         # (DSM.3)
        "denoising": mean_square(found - given),                        # (DSM.4)
        "difference": mean_square(given - exact),                       # (DSM.5)
        "exact score": mean_square(exact),
    }


def score_of_data(model: Diffusion, xt: np.ndarray, t: int) -> np.ndarray:
    """The score of a·x + s·noise, for a model of 2-D data that works on standardised data.

    xt is a·x + s·noise·scale on the scale of the data.
    """
    a = model.noise.a[t]
    standardised = ((xt - a * model.shift) / model.scale).astype(model.dtype)
    return model.score(standardised, t) / model.scale
