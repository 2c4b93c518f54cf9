"""A log-likelihood with the data that it describes, which can be compared only where that is valid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scratchgen.metrics import bits_per_dim
from scratchgen.studies.spaces import Space

KINDS = ("exact", "importance-sampled", "lower bound", "Parzen")


@dataclass(frozen=True)
class Likelihood:
    """The mean log p(x) of a test set in nats, how it was computed, and which data it describes.

    nats  : the mean, higher is better;  error : its standard error
    kind  : "exact"; "importance-sampled" and "lower bound", which underestimate on average; "Parzen", the
        density of kernels centred on samples rather than of the model itself
    space : the data it describes

        a − b       how many nats a is above b
        a < b

    Both raise ValueError, with the reason, if a and b are not comparable. Raises ValueError for an unknown
    kind and for numbers that are not finite.
    """

    nats: float
    error: float
    kind: str
    space: Space

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Likelihood expected one of the kinds {', '.join(KINDS)}, got {self.kind!r}")
        if not (math.isfinite(self.nats) and math.isfinite(self.error) and self.error >= 0):
            raise ValueError(f"Likelihood expected finite nats and error, got {self.nats} ± {self.error}")

    @classmethod
    def of(cls, log_prob: np.ndarray, kind: str, space: Space) -> Likelihood:
        """The mean and its standard error, from log p(x) of each example, (N,)."""
        if log_prob.ndim != 1 or len(log_prob) < 2:
            raise ValueError(f"Likelihood expected log p(x) of two or more examples, got {log_prob.shape}")
        error = log_prob.std(ddof=1) / math.sqrt(len(log_prob))
        return cls(float(log_prob.mean()), float(error), kind, space)

    @property
    def bits(self) -> float | None:
        """Bits per dimension, or None if they are not defined.

        For binary pixels −log₂ p(x) / D; for dequantised ones (DEQ.2), an upper bound on the bits of their
        grey levels. A density of grey levels that were not dequantised can grow without limit by
        concentrating on these levels, so it cannot be converted to bits.
        """
        if not self.space.discrete and self.space.levels is None:
            return None
        return float(bits_per_dim(np.array([self.nats]), self.space.features, self.space.levels)[0])

    def __sub__(self, other: Likelihood) -> float:
        expect_comparable(self, other)
        return self.nats - other.nats

    def __lt__(self, other: Likelihood) -> bool:
        expect_comparable(self, other)
        return self.nats < other.nats

    def __str__(self) -> str:
        return f"{self.nats:.2f} ± {self.error:.2f} nats, {self.kind}, {self.space.name}"


def expect_comparable(*likelihoods: Likelihood) -> None:
    """Raise ValueError, with the reason, unless all of these are comparable with each other."""
    for a, b in pairwise(likelihoods):
        reason = _why_not(a, b)
        if reason:
            raise ValueError(f"{reason}: cannot compare {a} with {b}")


def _why_not(a: Likelihood, b: Likelihood) -> str:
    """Why two likelihoods are not comparable; empty if they are."""
    if a.space.discrete != b.space.discrete:
        return "probabilities of binary pixels against densities of continuous ones"
    if a.space.features != b.space.features:
        return f"examples of {a.space.features} pixels and of {b.space.features}"
    if a.space != b.space:
        return f"different test data ({a.space.made}; {b.space.made})"
    if (a.kind == "Parzen") != (b.kind == "Parzen"):
        return "a Parzen window describes kernels centred on samples, not the model that generated them"
    return ""
