"""The log-likelihood of a VAE: its lower bound, and an estimate by importance sampling.

Both draw codes from q(z | x) and decode them in parts, so that memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from scratchgen.distributions import Normal
from scratchgen.models.vae.observation import Observation

Posterior = tuple[np.ndarray, np.ndarray]                   # mu and logvar, each (N, K)
Draws = tuple[slice, np.ndarray, np.ndarray]                # examples, log p(x | z), log p(z) − log q(z | x)


class Decoder(Protocol):
    """What these functions need of a VAE: a prior, a decoder, and a distribution of x given its output."""

    observation: Observation

    def prior_mean(self, y: Any, n: int) -> Any: ...

    def decode(self, Z: Any, y: Any = None) -> Any: ...


def lower_bound(
    model: Decoder,
    X: np.ndarray,
    y: np.ndarray | None,
    posterior: Posterior,
    samples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The bound (VAE.1) of each example, (N,)."""
    mu, logvar = posterior
    total = -Normal.kl(mu, logvar, model.prior_mean(y, len(X))).sum(axis=1, dtype=np.float64)
    for part, log_px, _ in sample_posterior(model, X, y, posterior, samples, rng):
        total[part] += log_px.sum(axis=1, dtype=np.float64) / samples
    return total


def importance_sampled(
    model: Decoder,
    X: np.ndarray,
    y: np.ndarray | None,
    posterior: Posterior,
    samples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The estimate (VAE.11) of log p(x) of each example, (N,)."""
    total = np.full(len(X), -np.inf)
    for part, log_px, log_ratio in sample_posterior(model, X, y, posterior, samples, rng):
        log_weights = (log_px + log_ratio).astype(np.float64)   # (B, S)
        total[part] = np.logaddexp(total[part], np.logaddexp.reduce(log_weights, axis=1))
    return total - math.log(samples)                            # (VAE.11)


def sample_posterior(
    model: Decoder,
    X: np.ndarray,
    y: np.ndarray | None,
    posterior: Posterior,
    samples: int,
    rng: np.random.Generator,
    rows: int = 10_000,
) -> Iterator[Draws]:
    """Draw codes from q(z | x); yield (which examples, log p(x | z), log p(z) − log q(z | x)).

    Both arrays are (B, S). B·S is about `rows` for any number of examples and samples, which limits the
    memory. An example with many samples is yielded several times, with a part of them each time.
    """
    mu, logvar = posterior
    prior_mean = np.broadcast_to(model.prior_mean(y, len(X)), mu.shape)
    at_once = min(samples, max(1, rows // 100))
    size = rows // at_once
    for start in range(0, len(X), size):
        part = slice(start, start + size)
        m, lv, m_prior = mu[part, None], logvar[part, None], prior_mean[part, None]  # (B, 1, K)
        for done in range(0, samples, at_once):
            shape = (len(m), min(at_once, samples - done), mu.shape[1])
            eps = rng.standard_normal(shape, mu.dtype)
            z = Normal.sample(m, lv, eps)                   # (B, S, K)
            labels = None if y is None else np.repeat(y[part], shape[1])
            out = model.decode(z.reshape(-1, shape[2]), labels)
            if out.shape[1] != X.shape[1]:
                who = type(model).__name__
                raise ValueError(f"{who} expected x of {out.shape[1]} features, got {X.shape[1]}")
            log_px = model.observation.log_prob(X[part], out.reshape(*shape[:2], -1))
            yield part, log_px, 0.5 * (eps**2 + lv - (z - m_prior) ** 2).sum(axis=2)
