"""A log-likelihood that knows what it is of: only such as can be compared are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scratchgen.metrics import bits_per_dim

KINDS = ("exact", "importance-sampled", "lower bound", "Parzen")


@dataclass(frozen=True)
class Space:
    """The numbers that a likelihood is of.

    name     : for a heading
    made     : how they were made of grey digits, with what decides the outcome; two spaces that differ here
        have different test data
    discrete : probabilities of pixels that are 0 or 1, or a density of continuous ones
    levels   : of grey, over which a density was spread by dequantisation; None where it wasn't
    features : how many numbers an example has
    """

    name: str
    made: str
    discrete: bool
    levels: int | None = None
    features: int = 784

    def __post_init__(self) -> None:
        if self.features < 1:
            raise ValueError(f"Space expected features of at least 1, got {self.features}")
        if self.discrete and self.levels is not None:
            raise ValueError(f"Space expected no levels for black and white pixels, got {self.levels}")


@dataclass(frozen=True)
class Likelihood:
    """The mean log p(x) of a test set in nats, of which kind, and of what.

    nats  : the mean, more is better;  error : its standard error
    kind  : "exact"; "importance-sampled" and "lower bound", which on average lie below the truth; "Parzen",
        which is no model's likelihood but that of bumps laid over its samples
    space : what it is a log-likelihood of

        a − b       nats by which a lies above b
        a < b

    Both raise ValueError for two that can't be compared, and say why. Raises ValueError for an unknown kind
    and for numbers that are not finite.
    """

    nats: float
    error: float
    kind: str
    space: Space

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Likelihood expected a kind out of {', '.join(KINDS)}, got {self.kind!r}")
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
        """Bits per dimension; None where they would mean nothing.

        Of black and white pixels −log₂ p(x) / D; of dequantised ones (DEQ.2), an upper bound on what their
        grey levels cost. A density of grey levels that were not dequantised can be raised without limit by
        putting it on them, so it says nothing of bits.
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
        return f"{self.nats:.2f} ± {self.error:.2f} nats, {self.kind}, of {self.space.name}"


def expect_comparable(*likelihoods: Likelihood) -> None:
    """Raise ValueError, with the reason, unless all of these may stand in one column."""
    for a, b in pairwise(likelihoods):
        reason = _why_not(a, b)
        if reason:
            raise ValueError(f"{reason}: can't compare {a} with {b}")


def _why_not(a: Likelihood, b: Likelihood) -> str:
    """Why two likelihoods can't be compared; empty where they can."""
    if a.space.discrete != b.space.discrete:
        return "probabilities of black and white pixels against densities of continuous ones"
    if a.space.features != b.space.features:
        return f"examples of {a.space.features} numbers and of {b.space.features}"
    if a.space != b.space:
        return f"not of the same numbers ({a.space.made}; {b.space.made})"
    if (a.kind == "Parzen") != (b.kind == "Parzen"):
        return "a Parzen window rates bumps laid over samples, not the model that drew them"
    return ""
