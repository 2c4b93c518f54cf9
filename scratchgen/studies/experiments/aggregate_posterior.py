"""Measure how far the codes of all digits together are from the prior N(0, I), by two statistics."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from scratchgen.data import Digits
from scratchgen.distributions import Normal
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import VAE, latent_usage


class Codes(NamedTuple):
    """The codes of N test digits from a trained VAE, and statistics of the codes."""

    z: np.ndarray               # (N, K) one sample of q(z | x) for each
    std: np.ndarray             # (N, K) its standard deviation
    largest: np.ndarray         # (2,) the two dimensions with the largest KL
    kl: float                   # nats, mean over digits, summed over dimensions
    error: float                # squared error of the reconstruction from z, summed over pixels
    ks: float                   # Kolmogorov-Smirnov statistic of z
    mmd: float                  # MMD² of z
    reconstructions: np.ndarray  # (N, D)


def encode(vae: VAE, digits: Digits, eps: np.ndarray) -> Codes:
    """Codes of the test digits, with the noise eps (N, K), and how far they are from N(0, I)."""
    mu, logvar = vae.posterior(digits.x_test)
    z = Normal.sample(mu, logvar, eps)
    kl = latent_usage(vae, digits.x_test).kl
    made = vae.inverse_transform(z.astype(np.float32))
    error = float(squared_error_per_example(digits.x_test, made).mean())
    std, largest = Normal.std(logvar), np.argsort(kl)[:-3:-1]
    return Codes(z, std, largest, float(kl.sum()), error, kolmogorov_smirnov(z), mmd_to_normal(z), made)


def kolmogorov_smirnov(z: np.ndarray) -> float:
    """The largest distance of a column's empirical distribution function, z (N, K), from that of N(0, 1)."""
    n = len(z)
    cdf = np.vectorize(NormalDist().cdf)(np.sort(z, axis=0))
    above = np.arange(1, n + 1)[:, None] / n - cdf
    return float(max(above.max(), (1 / n - above).max()))


def mmd_to_normal(z: np.ndarray) -> float:
    """MMD² of z (N, K) to N(0, I), which is 0 only where the two distributions are equal.

    1/n² Σᵢⱼ k(zᵢ, zⱼ) − 2/n Σᵢ E k(zᵢ, y) + E k(y, y'),   y, y' ~ N(0, I),   k(a, b) = exp(−‖a − b‖²/2K)

    (Gretton et al. 2012, lemma 6, with its last two terms in closed form).
    """
    k = z.shape[1]
    square = (z**2).sum(axis=1)
    between = np.exp(-(square[:, None] + square - 2 * z @ z.T) / (2 * k)).mean()
    to_prior = (k / (k + 1)) ** (k / 2) * np.exp(-square / (2 * (k + 1))).mean()
    return float(between - 2 * to_prior + (k / (k + 2)) ** (k / 2))
