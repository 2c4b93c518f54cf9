"""What a hidden state emits: a symbol out of a few, or a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.distributions import Normal
from scratchgen.layers.base import Layer, Parameter, float_dtype
from scratchgen.models.classical.base import log_sum_exp

FLOOR = 1e-3        # the least variance of a state, as a share of the data's


class Categorical(Layer):
    """A loaded die for each state: p(symbol s | state k) = softmax(logits[k])[s]; x (N, T) whole numbers.

    logits : Parameter (K, S), drawn around 0 at the start, so that no two states are alike
    """

    def __init__(self, states: int, symbols: int, *, rng: np.random.Generator, dtype: Any = np.float64):
        if states < 1 or symbols < 2:
            raise ValueError(
                f"Categorical expected at least one state and two symbols, got {states} and {symbols}"
            )
        dtype = float_dtype("Categorical", dtype)
        self.logits = Parameter(rng.standard_normal((states, symbols)).astype(dtype))

    def expect_data(self, who: str, x: np.ndarray) -> None:
        symbols = self.logits.shape[1]
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu":
            got = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
            raise TypeError(f"{who} expected an array of whole numbers, the symbols, got {got}")
        if x.ndim != 2 or x.size == 0:
            raise ValueError(f"{who} expected sequences of shape (N, T), at least one of them, got {x.shape}")
        if x.min() < 0 or x.max() >= symbols:
            raise ValueError(f"{who} expected symbols in 0..{symbols - 1}, got {x.min()}..{x.max()}")

    def log_prob(self, x):
        """log p(x_t | state) for every state: (N, T) -> (N, T, K)."""
        return log_softmax(self.logits.value).T[x]

    def add_gradient(self, x, dlog_prob):
        """Add the gradient of the logits, from that of `log_prob`, (N, T, K)."""
        dlog_p = self._counts(x, dlog_prob)                     # (K, S)
        self.logits.grad += softmax_backward(self.logits.value, dlog_p)

    def maximise(self, x, weights, smoothing):
        """Set the frequencies of the symbols, each counted with the weight of its state, (N, T, K)."""
        self.logits.value[...] = log_shares(self._counts(x, weights) + smoothing)

    def sample(self, states, rng):
        """A symbol for each state, of their shape."""
        edges = np.exp(log_softmax(self.logits.value)).cumsum(axis=1)[states]
        symbols = (rng.random(states.shape)[..., None] > edges).sum(axis=-1)
        return np.minimum(symbols, self.logits.shape[1] - 1)    # the last edge may round to less than 1

    def _counts(self, x, weights):
        """How often each symbol came, each time with the weight of a state: (K, S)."""
        symbols, by_state = self.logits.shape[1], np.moveaxis(weights, 2, 0)
        counts = [np.bincount(x.ravel(), weight.ravel(), symbols) for weight in by_state]
        return np.stack(counts).astype(self.logits.dtype)


class Gaussian(Layer):
    """A Normal distribution for each state: x_t ~ N(mu[k], exp(logvar[k])); x (N, T) floats.

    mu, logvar : Parameters (K,); mu is drawn from N(0, 1), logvar is 0 at the start
    """

    def __init__(self, states: int, *, rng: np.random.Generator, dtype: Any = np.float64):
        if states < 1:
            raise ValueError(f"Gaussian expected at least one state, got {states}")
        dtype = float_dtype("Gaussian", dtype)
        self.mu = Parameter(rng.standard_normal(states).astype(dtype))
        self.logvar = Parameter(np.zeros(states, dtype))

    def expect_data(self, who: str, x: np.ndarray) -> None:
        expect_examples(who, x)

    def log_prob(self, x):
        """log p(x_t | state) for every state, in float64: (N, T) -> (N, T, K)."""
        return Normal.log_prob(x[..., None].astype(np.float64), self.mu.value, self.logvar.value)

    def add_gradient(self, x, dlog_prob):
        """Add the gradients of mu and logvar, from that of `log_prob`, (N, T, K)."""
        _, dmu, dlogvar = Normal.log_prob_grad(x[..., None], self.mu.value, self.logvar.value)
        self.mu.grad += (dlog_prob * dmu).sum(axis=(0, 1))
        self.logvar.grad += (dlog_prob * dlogvar).sum(axis=(0, 1))

    def maximise(self, x, weights, smoothing):
        """Set each state's mean and variance, weighted, the variance at least FLOOR times the data's.

        `smoothing` counts as so many observations at the data's own mean and variance. Raises ValueError for
        data that doesn't vary.
        """
        mean, variance = x.mean(), x.var()
        if not variance > 0:
            raise ValueError("HiddenMarkovModel.fit expected observations that vary, got one alone")
        x, total = x[..., None], weights.sum(axis=(0, 1)) + smoothing
        mu = ((weights * x).sum(axis=(0, 1)) + smoothing * mean) / total
        spread = (weights * (x - mu) ** 2).sum(axis=(0, 1)) + smoothing * (variance + (mean - mu) ** 2)
        self.mu.value[...] = mu
        self.logvar.value[...] = np.log(np.maximum(spread / total, FLOOR * variance))

    def sample(self, states, rng):
        """A number for each state, of their shape."""
        mu, logvar = self.mu.value[states], self.logvar.value[states]
        return Normal.sample(mu, logvar, rng.standard_normal(states.shape)).astype(mu.dtype)


def log_softmax(logits):
    """The logarithms of probabilities that add up to 1 along the last axis."""
    return logits - log_sum_exp(logits)[..., None]


def softmax_backward(logits, dlog_p):
    """The gradient of the logits from that of their log_softmax: dlogits = dlog_p − p·Σ dlog_p."""
    return dlog_p - np.exp(log_softmax(logits)) * dlog_p.sum(axis=-1, keepdims=True)


def log_shares(counts):
    """Counts to the logarithms of shares, along the last axis."""
    return np.log(counts) - np.log(counts.sum(axis=-1, keepdims=True))
