"""The distributions that hidden states emit observations from: symbols or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.array_hints import array_hint
from scratchgen.checks import as_generator, describe, is_plain_array
from scratchgen.distributions import Categorical as Distribution
from scratchgen.distributions import Normal
from scratchgen.models.arguments import as_dtype, count
from scratchgen.models.examples import as_examples, cast_to_integers
from scratchgen.module import Module, Parameter

FLOOR = 1e-3        # the smallest variance of a state, as a fraction of the data's


class Categorical(Module):
    """A distribution over symbols for each state: p(s | state k) = softmax(logits[k])[s]; x (N, T) integers.

    logits : Parameter (K, S), initially random, so that no two states are equal
    """

    def __init__(self, states: int, symbols: int, *, rng: np.random.Generator | int, dtype: Any = np.float64):
        count("Categorical", "states", states)
        count("Categorical", "symbols", symbols, least=2)
        dtype = as_dtype("Categorical", dtype)
        rng = as_generator("Categorical", rng)
        self.logits = Parameter(rng.standard_normal((states, symbols)).astype(dtype))

    def as_data(self, who: str, x: Any) -> np.ndarray:
        """Return x, an array of symbols, (N, T); whole numbers that are floats are cast, with CastData.

        Raises TypeError or ValueError for anything else.
        """
        symbols = self.logits.shape[1]
        x = cast_to_integers(who, x)
        if not is_plain_array(x) or x.dtype.kind not in "iu":
            got = f"{describe(x)}{array_hint(x, 'int64')}"
            raise TypeError(f"{who} expected an array of integers, the symbols, got {got}")
        if x.ndim != 2 or x.size == 0:
            raise ValueError(f"{who} expected sequences of shape (N, T), at least one of them, got {x.shape}")
        if x.min() < 0 or x.max() >= symbols:
            raise ValueError(f"{who} expected symbols in 0..{symbols - 1}, got {x.min()}..{x.max()}")
        return x

    def start_from(self, x: np.ndarray) -> None:
        """Do nothing: the initial distributions suit all data."""

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p(x_t | state) for every state: (N, T) -> (N, T, K)."""
        return Distribution.log_probabilities(self.logits.value).T[x]

    def add_gradient(self, x: np.ndarray, dlog_prob: np.ndarray) -> None:
        """Add the gradient of the logits, from that of `log_prob`, (N, T, K)."""
        dlog_p = self._counts(x, dlog_prob)                     # (K, S)
        self.logits.grad += Distribution.log_probabilities_backward(dlog_p, self.logits.value)

    def maximise(self, x: np.ndarray, weights: np.ndarray, smoothing: float) -> None:
        """Set the frequencies of the symbols from counts with the given weights, (N, T, K)."""
        self.logits.value[...] = log_shares(self._counts(x, weights) + smoothing)

    def sample(self, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A symbol for each state, of their shape."""
        edges = np.exp(Distribution.log_probabilities(self.logits.value)).cumsum(axis=1)[states]
        symbols = (rng.random(states.shape)[..., None] > edges).sum(axis=-1)
        return np.minimum(symbols, self.logits.shape[1] - 1)    # the last cumulative sum may be below 1

    def _counts(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The weighted counts of the symbols in each state, (K, S)."""
        symbols, by_state = self.logits.shape[1], np.moveaxis(weights, 2, 0)
        counts = [np.bincount(x.ravel(), weight.ravel(), symbols) for weight in by_state]
        return np.stack(counts).astype(self.logits.dtype)


class Gaussian(Module):
    """A Normal distribution for each state: x_t ~ N(mu[k], exp(logvar[k])); x (N, T) floats.

    mu, logvar : Parameters (K,); initially mu is drawn from N(0, 1) and logvar is 0. `start_from` gives them
        the mean and spread of the data
    """

    def __init__(self, states: int, *, rng: np.random.Generator | int, dtype: Any = np.float64):
        count("Gaussian", "states", states)
        dtype = as_dtype("Gaussian", dtype)
        rng = as_generator("Gaussian", rng)
        self.mu = Parameter(rng.standard_normal(states).astype(dtype))
        self._initial_mu = self.mu.value.copy()
        self.logvar = Parameter(np.zeros(states, dtype))

    def as_data(self, who: str, x: Any) -> np.ndarray:
        """Return x, a finite array of floats, (N, T); integers are cast, with CastData.

        Raises TypeError or ValueError for anything else.
        """
        return as_examples(who, x)

    def start_from(self, x: np.ndarray) -> None:
        """Move the initial parameters to the mean and spread of the data; leave changed ones as they are."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std = x.mean(dtype=np.float64), x.std(dtype=np.float64)
        initial = np.array_equal(self.mu.value, self._initial_mu) and not self.logvar.value.any()
        if initial and 0 < std < np.inf:
            self.mu.value[...] = mean + std * self._initial_mu
            self.logvar.value[...] = 2 * np.log(std)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p(x_t | state) for every state, in float64: (N, T) -> (N, T, K)."""
        return Normal.log_prob(x[..., None].astype(np.float64), self.mu.value, self.logvar.value)

    def add_gradient(self, x: np.ndarray, dlog_prob: np.ndarray) -> None:
        """Add the gradients of mu and logvar, from that of `log_prob`, (N, T, K)."""
        _, dmu, dlogvar = Normal.log_prob_grad(x[..., None], self.mu.value, self.logvar.value)
        self.mu.grad += (dlog_prob * dmu).sum(axis=(0, 1))
        self.logvar.grad += (dlog_prob * dlogvar).sum(axis=(0, 1))

    def maximise(self, x: np.ndarray, weights: np.ndarray, smoothing: float) -> None:
        """Set each state's mean and variance, weighted, the variance at least FLOOR times the data's.

        The smoothing acts like `smoothing` additional observations with the data's mean and variance. Raises
        ValueError for constant data.
        """
        mean, variance = x.mean(), x.var()
        if not variance > 0:
            raise ValueError("HiddenMarkovModel.fit expected observations that vary, but all are equal")
        x, total = x[..., None], weights.sum(axis=(0, 1)) + smoothing
        mu = ((weights * x).sum(axis=(0, 1)) + smoothing * mean) / total
        spread = (weights * (x - mu) ** 2).sum(axis=(0, 1)) + smoothing * (variance + (mean - mu) ** 2)
        self.mu.value[...] = mu
        self.logvar.value[...] = np.log(np.maximum(spread / total, FLOOR * variance))

    def sample(self, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A number for each state, of their shape."""
        mu, logvar = self.mu.value[states], self.logvar.value[states]
        return Normal.sample(mu, logvar, rng.standard_normal(states.shape)).astype(mu.dtype)


def log_shares(counts: np.ndarray) -> np.ndarray:
    """The logarithms of counts divided by their sum, along the last axis."""
    return np.log(counts) - np.log(counts.sum(axis=-1, keepdims=True))
