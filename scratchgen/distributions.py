"""Probability distributions: log-density, sampling, KL divergence, and their gradients.

The functions of Bernoulli, Normal and Logistic work entry by entry on arrays that broadcast, and return one
number for each entry, in nats. The caller sums over features. Categorical has its categories on the last
axis. The spread of a Normal is given as a log-variance, and ``std = exp(0.5·logvar)`` is written only in
`Normal.std`. Samplers take their noise as an argument and draw no random numbers themselves.

Gradients are those of ``log_prob(...).sum()``: multiply them by the gradient that comes from the next layer.
Derived in docs/distributions.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.checks import Array
from scratchgen.kernels import compiled

Numbers = Array | float
LOG_2PI = float(np.log(2 * np.pi))


class Bernoulli:
    """The Bernoulli distribution, P(x = 1) = σ(logits).

    (BERN.1)  log p(x) = x·l − log(1 + eˡ)            l the logits, x 0 or 1
    (BERN.2)  dl = x − σ(l)
    (BERN.3)  x = 1 where u < σ(l), u ~ U(0, 1)
    """

    @staticmethod
    def mean(logits: Array) -> Array:
        """σ(logits), without overflow."""
        small = np.exp(-np.abs(logits))
        return np.where(logits >= 0, 1, small) / (1 + small)

    @staticmethod
    def log_prob(x: Numbers, logits: Array) -> Array:
        """log p(x), the shape of logits."""
        return x * logits - np.maximum(logits, 0) - np.log1p(np.exp(-np.abs(logits)))  # (BERN.1)

    @staticmethod
    def log_prob_grad(x: Numbers, logits: Array) -> Array:
        """The gradient of log_prob with respect to the logits."""
        return x - Bernoulli.mean(logits)                       # (BERN.2)

    @staticmethod
    def sample(logits: Array, uniform: Array) -> Array:
        """Samples, 0 or 1, in the dtype of the logits. `uniform` in [0, 1) has the same shape."""
        return (uniform < Bernoulli.mean(logits)).astype(logits.dtype)  # (BERN.3)


@compiled
def bernoulli_log_prob(x: Array, logits: Array) -> Array:
    """log p(x) summed over D features: x (B, D), logits (B, K, D) for K sets of logits each -> (B, K)."""
    return Bernoulli.log_prob(x[:, None], logits).sum(axis=2)


class Categorical:
    """The distribution over categories 0 … K − 1 with probabilities softmax(logits).

    (CAT.1)  log p(k) = l_k − log Σⱼ exp(lⱼ)                  l the logits, on the last axis
    (CAT.2)  p(k) = exp(l_k) / Σⱼ exp(lⱼ)
    (CAT.3)  dl = onehot(x) − p                              the gradient of log p(x)
    (CAT.4)  dl = da − p·Σⱼ daⱼ                              for a = (log p(0), …, log p(K − 1)) and any da
    (CAT.5)  x = the number of k with p(0) + … + p(k) ≤ u,  u ~ U(0, 1)

    logits (…, K), x (…) integers. The largest logit is subtracted first, so nothing overflows.
    """

    @staticmethod
    def log_probabilities(logits: Array) -> Array:
        """log p(k) for all k, (…, K)."""
        shifted = logits - logits.max(axis=-1, keepdims=True)   # at most 0
        others = np.exp(shifted)                                # without the largest, which is e⁰ = 1
        np.put_along_axis(others, shifted.argmax(axis=-1)[..., None], 0, axis=-1)
        return shifted - np.log1p(others.sum(axis=-1, keepdims=True))           # (CAT.1)

    @staticmethod
    def log_probabilities_backward(da: Array, logits: Array) -> Array:
        """The gradient of the logits, (…, K), given the gradient da (…, K) of log p(k) for all k."""
        p = Categorical.probabilities(logits)
        return da - p * da.sum(axis=-1, keepdims=True)          # (CAT.4)

    @staticmethod
    def probabilities(logits: Array) -> Array:
        """softmax(logits), (…, K)."""
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)                # (CAT.2)

    @staticmethod
    def log_prob(x: Array, logits: Array) -> Array:
        """log p(x), the shape of x."""
        return np.take_along_axis(Categorical.log_probabilities(logits), x[..., None], axis=-1)[..., 0]

    @staticmethod
    def log_prob_grad(x: Array, logits: Array) -> Array:
        """The gradient of log_prob with respect to the logits, (…, K)."""
        onehot = np.arange(logits.shape[-1]) == x[..., None]
        return onehot - Categorical.probabilities(logits)       # (CAT.3)

    @staticmethod
    def sample(logits: Array, uniform: Array) -> Array:
        """A category for each row of logits, (…). `uniform` (…) holds one number from [0, 1) for each row."""
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        cumulative = e.cumsum(axis=-1)                          # not yet divided by the last column
        reached = cumulative[..., :-1] <= uniform[..., None] * cumulative[..., -1:]
        return reached.sum(axis=-1)                             # (CAT.5)


def log_sum_exp(a: Array) -> Array:
    """log Σ exp(a) over the last axis without overflow, (…, K) -> (…). Rows of −∞ give −∞."""
    largest = a.max(axis=-1, keepdims=True)
    safe = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(a - safe).sum(axis=-1)) + safe[..., 0]


def divide_by_exp(a: Numbers, log_divisor: Numbers) -> Any:
    """a / exp(log_divisor), in two steps, because the divisor may be too small or too large for the dtype."""
    root = np.exp(-0.5 * log_divisor)                           # 1 / √divisor
    return a * root * root


class Normal:
    """The Normal distribution N(mu, std²), std² = exp(logvar).

    (NORM.1)  std = exp(½·logvar)
    (NORM.2)  log p(x) = −½·[log 2π + logvar + ((x − mu) / std)²]
    (NORM.3)  dx = −(x − mu) / std²,  dmu = −dx,  dlogvar = ½·[((x − mu) / std)² − 1]
    (NORM.4)  x = mu + std·eps,  eps ~ N(0, 1)
    (NORM.5)  KL(N(mu, std²) ‖ N(m, 1)) = ½·[(mu − m)² + std² − 1 − logvar]
    (NORM.6)  dmu = mu − m,  dm = −dmu,  dlogvar = ½·(std² − 1)              of (NORM.5)
    """

    @staticmethod
    def std(logvar: Numbers) -> Any:
        """The standard deviation."""
        return np.exp(0.5 * logvar)                             # (NORM.1)

    @staticmethod
    def log_prob(x: Numbers, mu: Numbers, logvar: Numbers) -> Any:
        """log p(x)."""
        scaled = divide_by_exp(x - mu, 0.5 * logvar)            # (x − mu) / std
        return -0.5 * (LOG_2PI + logvar + scaled**2)            # (NORM.2)

    @staticmethod
    def log_prob_grad(x: Numbers, mu: Numbers, logvar: Numbers) -> tuple[Any, Any, Any]:
        """The gradient of log_prob, (dx, dmu, dlogvar)."""
        scaled = divide_by_exp(x - mu, 0.5 * logvar)            # (x − mu) / std
        dx = -divide_by_exp(scaled, 0.5 * logvar)
        return dx, -dx, 0.5 * (scaled**2 - 1)                   # (NORM.3)

    @staticmethod
    def sample(mu: Numbers, logvar: Numbers, eps: Numbers) -> Any:
        """A sample, computed from standard normal noise eps."""
        return mu + Normal.std(logvar) * eps                    # (NORM.4)

    @staticmethod
    def kl(mu: Numbers, logvar: Numbers, prior_mean: Numbers = 0.0) -> Any:
        """KL(N(mu, std²) ‖ N(prior_mean, 1)). It is at least 0, and 0 only for equal distributions."""
        spread = np.maximum(np.expm1(logvar) - logvar, 0)       # std² − 1 − logvar; rounding may make it < 0
        return 0.5 * ((mu - prior_mean) ** 2 + spread)          # (NORM.5)

    @staticmethod
    def kl_grad(mu: Numbers, logvar: Numbers, prior_mean: Numbers = 0.0) -> tuple[Any, Any]:
        """The gradient of `kl`, (dmu, dlogvar). The gradient of the prior mean is −dmu."""
        return mu - prior_mean, 0.5 * np.expm1(logvar)          # (NORM.6)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def normal_log_cdf(x: Array) -> Array:
    """log Φ(x) in float64, entry by entry, also where Φ(x) is too small for a float64.

    (NCDF.1)  log Φ(x) = log(½·erfc(−x/√2)) for x ≤ 0, and log(1 − ½·erfc(x/√2)) for x > 0
    (NCDF.2)  log Φ(x) = −½x² − log(−x·√(2π)) + log(1 − 1/x² + 3/x⁴ − 15/x⁶ + 105/x⁸)   for x < −35
    """
    x = x.astype(np.float64)
    half = 0.5 * _erfc(np.abs(x) / math.sqrt(2))
    far = np.minimum(x, -35.0)
    with np.errstate(over="ignore", divide="ignore"):
        inverse = 1 / far**2
        series = 1 - inverse * (1 - inverse * (3 - inverse * (15 - 105 * inverse)))
        tail = -0.5 * far**2 - np.log(-far) - 0.5 * LOG_2PI + np.log(series)
        near = np.where(x > 0, np.log1p(-half), np.log(half))           # (NCDF.1)
    return np.where(x < -35, tail, near)                                # (NCDF.2)


@compiled
def normal_log_interval(low: Array, high: Array) -> Array:
    """log(Φ(high) − Φ(low)), entry by entry, for low < high; the ends may be infinite.

    It is computed in float64 and returned in the dtype of the ends.

    (NCDF.3)  Φ(high) − Φ(low) = Φ(−low) − Φ(−high)                         so that both are in the lower tail
    (NCDF.4)  log(Φ(b) − Φ(a)) = log Φ(b) + log(1 − exp(log Φ(a) − log Φ(b)))
    """
    flip = low > 0
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)           # (NCDF.3)
    log_a, log_b = normal_log_cdf(a), normal_log_cdf(b)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        gap = np.where(np.isneginf(log_a), -np.inf, log_a - log_b)
        return (log_b + np.log(-np.expm1(gap))).astype(low.dtype)           # (NCDF.4)


class Logistic:
    """The logistic distribution with mean mu and scale s = exp(log_scale).

    (LOGI.1)  log p(x) = −t − log s − 2·log(1 + e⁻ᵗ),  t = (x − mu) / s
    (LOGI.2)  dx = −(1 − 2·σ(−t)) / s,  dmu = −dx,  dlog_scale = t·(1 − 2·σ(−t)) − 1
    (LOGI.3)  x = mu + s·log(u / (1 − u)),  u ~ U(0, 1)
    """

    @staticmethod
    def log_prob(x: Numbers, mu: Numbers, log_scale: Numbers) -> Any:
        """log p(x)."""
        t = divide_by_exp(x - mu, log_scale)
        return -np.abs(t) - log_scale - 2 * np.log1p(np.exp(-np.abs(t)))  # (LOGI.1), which is even in t

    @staticmethod
    def log_prob_grad(x: Numbers, mu: Numbers, log_scale: Numbers) -> tuple[Any, Any, Any]:
        """The gradient of log_prob, (dx, dmu, dlog_scale)."""
        t = divide_by_exp(x - mu, log_scale)
        slope = np.tanh(0.5 * t)                                # = 1 − 2·σ(−t), also for small t
        dmu = divide_by_exp(slope, log_scale)
        return -dmu, dmu, t * slope - 1                         # (LOGI.2)

    @staticmethod
    def sample(mu: Numbers, log_scale: Numbers, uniform: Numbers) -> Any:
        """A sample, computed from `uniform` in (0, 1). At 0 and 1 it would be infinite."""
        return mu + np.exp(log_scale) * (np.log(uniform) - np.log1p(-uniform))  # (LOGI.3)
