"""What is asked of the codes of a VAE: many draws for an estimate, and how much of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.distributions import Normal

Draws = tuple[slice, np.ndarray, np.ndarray]

# What counts as used, in nats. On digits there is a cliff near it: dimensions of 0.2 nats and more on one
# side, on the other such of 0.03 and less, whose codes may all be noise at a cost of half a nat.
THRESHOLD = 0.1


def draw_codes(
    model: Any,
    X: np.ndarray,
    y: np.ndarray | None,
    posterior: tuple[np.ndarray, np.ndarray],
    samples: int,
    rng: np.random.Generator,
    rows: int = 10_000,
) -> Iterator[Draws]:
    """Draw codes from q(z | x); yield (which examples, log p(x | z), log p(z) − log q(z | x)), each (B, S).

    B·S is about `rows`, whatever the numbers of examples and samples, so that memory stays small; an example
    comes back as often as its samples need.
    """
    mu, logvar = posterior
    prior_mean = np.broadcast_to(model.prior_mean(y, len(X)), mu.shape)
    at_once = min(samples, max(1, rows // 100))
    size = rows // at_once
    for start in range(0, len(X), size):
        part = slice(start, start + size)
        labels = None if y is None else y[part]
        m, lv, m_prior = mu[part, None], logvar[part, None], prior_mean[part, None]  # (B, 1, K)
        for done in range(0, samples, at_once):
            shape = (len(m), min(at_once, samples - done), mu.shape[1])
            eps = rng.standard_normal(shape, mu.dtype)
            z = Normal.sample(m, lv, eps)                       # (B, S, K)
            repeated = None if labels is None else np.repeat(labels, shape[1])
            out = model.decode(z.reshape(-1, shape[2]), repeated)
            if out.shape[1] != X.shape[1]:
                who = type(model).__name__
                raise ValueError(f"{who} expected x of {out.shape[1]} features, got {X.shape[1]}")
            log_px = model.observation.log_prob(X[part], out.reshape(*shape[:2], -1))
            yield part, log_px, 0.5 * (eps**2 + lv - (z - m_prior) ** 2).sum(axis=2)


@dataclass(frozen=True)
class LatentUsage:
    """How much of the code is used. kl : (K,), nats per dimension, averaged over the data."""

    kl: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Which dimensions carry more than THRESHOLD nats."""
        return self.kl > THRESHOLD

    def __str__(self) -> str:
        used, width = int(self.active.sum()), len(self.kl)
        if used == 0:
            return (
                f"the posterior has collapsed: none of {width} dimensions carries {THRESHOLD} nats, and the "
                "decoder draws the same image for every code; lower beta, raise it slowly from 0, or make "
                "the decoder weaker"
            )
        said = f"{used} of {width} dimensions are used, {self.kl.sum():.1f} nats in all"
        idle = width - used
        return said if idle == 0 else f"{said}; {idle} carry less than {THRESHOLD} nats each"


def latent_usage(model: Any, X: np.ndarray, y: np.ndarray | None = None) -> LatentUsage:
    """Measure which dimensions of a VAE's code are used on X (N, D)."""
    mu, logvar = model.posterior(X, y)
    return LatentUsage(Normal.kl(mu - model.prior_mean(y, len(X)), logvar).mean(axis=0))
