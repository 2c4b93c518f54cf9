"""The observation models of a VAE: the distribution p(x | z) that the decoder's output describes."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.checks import expect_binary, expect_examples
from scratchgen.distributions import LOG_2PI, Bernoulli, bernoulli_log_prob
from scratchgen.losses import bce_with_logits, squared_error
from scratchgen.models.arguments import finite

ANY_NUMBERS = ", or build the model with observation=NormalPixels(), for any numbers"


class BernoulliPixels:
    """Bernoulli pixels: the decoder's output is their logit, p(x | z) = Π_d Bernoulli(x_d; σ(out_d)).

    Pixels are exactly 0 or 1. For values in between, binary cross-entropy is not a log-likelihood.
    """

    def nll(self, out: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
        """−log p(x | z) in nats, summed over pixels and averaged over examples; and its gradient dout."""
        return bce_with_logits(out, x)

    def log_prob(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        """log p(x | z) in nats: x (B, D), out (B, S, D) for S codes per example; returns (B, S)."""
        return bernoulli_log_prob(x, out)

    def mean(self, out: np.ndarray) -> np.ndarray:
        """The mean of the pixels."""
        return Bernoulli.mean(out)

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw pixels, of the shape of `out`."""
        return Bernoulli.sample(out, rng.random(out.shape, out.dtype))

    def expect(self, who: str, X: np.ndarray, features: int | None = None) -> None:
        """Raise ValueError unless X is 0 or 1 everywhere."""
        expect_binary(
            who, X, features=features, hint=", or use NormalPixels.",
            range_hint=ANY_NUMBERS,
        )

    def __repr__(self) -> str:
        return "BernoulliPixels()"


class NormalPixels:
    """Normal pixels around the decoder's output: p(x | z) = Π_d N(x_d; out_d, std²), with std fixed.

    (VAE.9)   −log p(x | z) = ½·Σ_d [((x_d − out_d) / std)² + log 2π] + D·log std
    (VAE.10)  dout = 1/N · (out − x) / std²                 of the mean over the batch
    """

    def __init__(self, std: float = 1.0):
        self.std = finite("NormalPixels", "std", std, above=0)
        if not 0 < np.float32(std) ** -2.0 < np.inf:
            raise ValueError(f"NormalPixels expected std with 1 / std² in the range of float32, got {std!r}")

    def nll(self, out: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
        """−log p(x | z) in nats, summed over pixels and averaged over examples; and its gradient dout."""
        error, dout = squared_error(out, x)
        half_precision = 0.5 / self.std**2
        dout *= out.dtype.type(half_precision)                  # (VAE.10)
        return half_precision * error + self._constant(x.shape[1]), dout  # (VAE.9)

    def log_prob(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        """log p(x | z) in nats: x (B, D), out (B, S, D) for S codes per example; returns (B, S)."""
        error = ((out - x[:, None]) ** 2).sum(axis=2)
        return -0.5 / self.std**2 * error - self._constant(x.shape[1])

    def _constant(self, features: int) -> float:
        return features * (0.5 * LOG_2PI + math.log(self.std))

    def mean(self, out: np.ndarray) -> np.ndarray:
        """The mean of the pixels."""
        return out

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw pixels, of the shape of `out`."""
        return out + out.dtype.type(self.std) * rng.standard_normal(out.shape, out.dtype)

    def expect(self, who: str, X: np.ndarray, features: int | None = None) -> None:
        """Raise ValueError unless X is finite."""
        expect_examples(who, X, features=features)

    def __repr__(self) -> str:
        return f"NormalPixels(std={self.std})"


Observation = BernoulliPixels | NormalPixels
