"""Measure how many dimensions of a VAE's latent code are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scratchgen.distributions import Normal

if TYPE_CHECKING:
    from scratchgen.models.vae.model import VAE

# A dimension counts as used if its KL exceeds this number of nats. On digits, it separates two groups: the KL
# is above 0.2 nats in one, and below 0.03 nats in the other.
THRESHOLD = 0.1


@dataclass(frozen=True)
class LatentUsage:
    """The usage of a latent code. kl : (K,), the KL of each dimension in nats, averaged over the data."""

    kl: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Which dimensions are used: those with more than THRESHOLD nats, (K,) of bool."""
        return self.kl > THRESHOLD

    def __str__(self) -> str:
        used, width = int(self.active.sum()), len(self.kl)
        if used == 0:
            return (
                f"the posterior has collapsed: none of {width} dimensions carries {THRESHOLD} nats, and the "
                "decoder outputs the same image for every code; lower beta, raise it slowly from 0, or make "
                "the decoder weaker"
            )
        summary = f"{used} of {width} dimensions are used, {self.kl.sum():.1f} nats in all"
        idle = width - used
        return summary if idle == 0 else f"{summary}; {idle} carry less than {THRESHOLD} nats each"


def latent_usage(model: VAE, X: np.ndarray, y: np.ndarray | None = None) -> LatentUsage:
    """Measure the KL of each dimension of a VAE's latent code, in nats, averaged over X (N, D)."""
    mu, logvar = model.posterior(X, y)
    return LatentUsage(Normal.kl(mu - model.prior_mean(y, len(X)), logvar).mean(axis=0))
