"""The distributions that models are made of: log-density, sampling, KL, and their gradients. Their only home.

All functions work entry by entry on arrays that broadcast and return one number an entry, in nats; summing
over features is left to the caller. A spread is given as a log-variance, and ``std = exp(0.5·logvar)`` is
written nowhere but in `Normal.std`. Samplers take their noise as an argument and draw nothing.

Gradients are those of ``log_prob(...).sum()``: multiply by what comes from upstream.
Derived in docs/distributions.md.
"""

from __future__ import annotations

import numpy as np

LOG_2PI = float(np.log(2 * np.pi))


class Bernoulli:
    """A coin with P(x = 1) = σ(logits).

    (BERN.1)  log p(x) = x·l − log(1 + eˡ)            l the logits, x 0 or 1
    (BERN.2)  dl = x − σ(l)
    (BERN.3)  x = 1 where u < σ(l), u ~ U(0, 1)
    """

    @staticmethod
    def mean(logits):
        """σ(logits), without overflow on either side."""
        small = np.exp(-np.abs(logits))
        return np.where(logits >= 0, 1, small) / (1 + small)

    @staticmethod
    def log_prob(x, logits):
        return x * logits - np.maximum(logits, 0) - np.log1p(np.exp(-np.abs(logits)))  # (BERN.1)

    @staticmethod
    def log_prob_grad(x, logits):
        """d log_prob / d logits."""
        return x - Bernoulli.mean(logits)                       # (BERN.2)

    @staticmethod
    def sample(logits, uniform):
        """0 or 1 in the dtype of the logits; `uniform` in [0, 1) has their shape."""
        return (uniform < Bernoulli.mean(logits)).astype(logits.dtype)  # (BERN.3)


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
    def std(logvar):
        return np.exp(0.5 * logvar)                             # (NORM.1)

    @staticmethod
    def log_prob(x, mu, logvar):
        scaled = (x - mu) / Normal.std(logvar)
        return -0.5 * (LOG_2PI + logvar + scaled**2)            # (NORM.2)

    @staticmethod
    def log_prob_grad(x, mu, logvar):
        """(dx, dmu, dlogvar)."""
        std = Normal.std(logvar)
        scaled = (x - mu) / std
        dx = -scaled / std
        return dx, -dx, 0.5 * (scaled**2 - 1)                   # (NORM.3)

    @staticmethod
    def sample(mu, logvar, eps):
        return mu + Normal.std(logvar) * eps                    # (NORM.4)

    @staticmethod
    def kl(mu, logvar, prior_mean=0.0):
        """KL from N(prior_mean, 1): at least 0, and 0 only where the two are equal."""
        return 0.5 * ((mu - prior_mean) ** 2 + np.exp(logvar) - 1 - logvar)  # (NORM.5)

    @staticmethod
    def kl_grad(mu, logvar, prior_mean=0.0):
        """(dmu, dlogvar) of `kl`; the prior mean's gradient is −dmu."""
        return mu - prior_mean, 0.5 * (np.exp(logvar) - 1)      # (NORM.6)


class Logistic:
    """The logistic distribution with mean mu and scale s = exp(log_scale).

    (LOGI.1)  log p(x) = −t − log s − 2·log(1 + e⁻ᵗ),  t = (x − mu) / s
    (LOGI.2)  dx = −(1 − 2·σ(−t)) / s,  dmu = −dx,  dlog_scale = t·(1 − 2·σ(−t)) − 1
    (LOGI.3)  x = mu + s·log(u / (1 − u)),  u ~ U(0, 1)
    """

    @staticmethod
    def log_prob(x, mu, log_scale):
        t = (x - mu) * np.exp(-log_scale)
        return -np.abs(t) - log_scale - 2 * np.log1p(np.exp(-np.abs(t)))  # (LOGI.1), which is even in t

    @staticmethod
    def log_prob_grad(x, mu, log_scale):
        """(dx, dmu, dlog_scale)."""
        s = np.exp(log_scale)
        t = (x - mu) / s
        slope = 1 - 2 * Bernoulli.mean(-t)                      # = tanh(t / 2)
        return -slope / s, slope / s, t * slope - 1             # (LOGI.2)

    @staticmethod
    def sample(mu, log_scale, uniform):
        """`uniform` in (0, 1); at its ends the sample would be infinite."""
        return mu + np.exp(log_scale) * (np.log(uniform) - np.log1p(-uniform))  # (LOGI.3)
