"""Diffusion: a network that removes noise in many small steps, and so turns noise into data."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.distributions import Normal, normal_log_interval
from scratchgen.layers.time_network import TimeNetwork
from scratchgen.losses import squared_error
from scratchgen.models.arguments import choice, count, flag
from scratchgen.models.diffusion.sampling import DiffusionSampler
from scratchgen.models.diffusion.schedule import SCHEDULES, TARGETS, NoiseSchedule, target_of

VARIANCES = ("small", "large")


class DiffusionCache(NamedTuple):
    """The values that backward needs."""

    df: np.ndarray      # (N, D): the gradient of the loss with respect to the network's output
    net: Any            # the cache of the network


class Bound(NamedTuple):
    """The terms of the variational bound of each example; −log p(x) is at most their sum.

    In nats from `Diffusion.bound`, and in bits per dimension from `Diffusion.bits_per_dim`.
    """

    prior: np.ndarray       # (N,): KL(q(x_T | x_0) ‖ N(0, I))
    steps: np.ndarray       # (N, T − 1): KL_t of step t = 2 … T
    data: np.ndarray        # (N,): −log p(x_0 | x_1), with the units of the data

    @property
    def total(self) -> np.ndarray:
        """The bound on −log p(x), (N,)."""
        return self.prior + self.steps.sum(axis=1) + self.data


class Diffusion(DiffusionSampler):
    """A chain of T steps that add noise to the data, and a network that learns to undo them.

    (DIFF.1)  x_t = √ā_t·x_0 + √(1 − ā_t)·eps,  eps ~ N(0, I),  t uniform in 1 … T
    (DIFF.2)  loss = 1/(N·D) · Σₙ ‖f(x_t, t/T) − target‖²           the target is eps, x_0 or v (PRED.1)
    (DIFF.3)  df   = 2/(N·D) · (f − target)
    (DIFF.4)  p(x_(t−1) | x_t) = q(x_(t−1) | x_t, x̂_0)              (SCHED.5) with the x̂_0 that f implies
    (DIFF.5)  −log p(x_0) ≤ KL(q(x_T|x_0) ‖ N(0, I)) + Σ_(t≥2) KL_t − E[log p(x_0 | x_1)]
    (DIFF.6)  KL_t = D/2·(b_t/σ² − 1 − log(b_t/σ²)) + c_t²/(2·σ²)·‖x_0 − x̂_0‖²
              c_t, b_t: factor of x_0 and variance in (SCHED.5);  σ² = b_t ("small") or β_t ("large")
    (DIFF.7)  p(x_0 | x_1): N(x̂_0, β_1·I), integrated over the grey level of each pixel if there are levels
    (DIFF.8)  DDIM: x_u = √ā_u·x̂_0 + √(1 − ā_u − σ²)·êps + σ·noise  for any step u < t
    (DIFF.9)  σ = η·√((1 − ā_u)/(1 − ā_t))·√(1 − ā_t/ā_u)           0: no noise; 1 and u = t − 1: √b_t

    The network works on x_0 = (x − shift)/scale. Sources: Sohl-Dickstein et al. 2015; Ho et al. 2020,
    equations 5, 7, 8, 13 and 14; Song et al. 2021, equations 12 and 16. Derived in docs/diffusion.md.

    steps : T
    schedule : "linear" or "cosine"
    predicts : "eps", "x0" or "v"
    variance : of (DIFF.4), "small" or "large". "small" is best for data that is a single point, and "large"
        for data from N(0, I). For other data, the best variance is between them (Ho et al. 2020, section 3.2)
    clip : whether `bound` and the samplers clip x̂_0 to the range of the training data. Without clipping, x̂_0
        from eps has a large error where a_t is nearly 0, because it is divided by a_t
    net, features, levels, label_dropout : see DenoisingModel
    """

    likelihood = "lower bound"

    def __init__(
        self,
        net: TimeNetwork,
        features: int,
        *,
        steps: int = 1000,
        schedule: str = "cosine",
        predicts: str = "v",
        levels: int | None = None,
        label_dropout: float = 0.1,
        variance: str = "small",
        clip: bool = True,
    ):
        who = type(self).__name__
        choice(who, "schedule", schedule, SCHEDULES)
        choice(who, "predicts", predicts, TARGETS)
        choice(who, "variance", variance, VARIANCES)
        count(who, "steps", steps, least=2)
        flag(who, "clip", clip)
        super().__init__(net, features, levels=levels, label_dropout=label_dropout)
        self.noise = NoiseSchedule(steps, schedule)
        self.steps, self.schedule, self.predicts = steps, schedule, predicts
        self.variance, self.clip = variance, clip

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Draw the noise eps and the step t of each example; drop some labels."""
        x, *labels = batch
        x0 = self._scaled(x)
        eps, t = rng.standard_normal(x0.shape, x0.dtype), rng.integers(1, self.steps + 1, len(x0))
        return x0, eps, t, self._with_dropped_labels(labels[0] if labels else None, rng)

    def loss(
        self,
        x0: np.ndarray,
        eps: np.ndarray | None = None,
        t: np.ndarray | None = None,
        y: np.ndarray | None = None,
        *,
        rng: np.random.Generator | int | None = None,
        training: bool = False,
    ) -> tuple[float, DiffusionCache]:
        """Return (loss, cache) for scaled data x0 (N, D), noise eps (N, D), steps t (N,) and labels y.

        Noise and steps that are not given are drawn from rng.
        """
        if eps is None or t is None:
            if rng is None:
                raise TypeError(f"{self._who('loss')} expected eps and t, or rng to draw them")
            rng = as_generator(self._who("loss"), rng)
            eps = rng.standard_normal(x0.shape).astype(x0.dtype) if eps is None else eps
            t = rng.integers(1, self.steps + 1, len(x0)) if t is None else t
        self._expect_noise("eps", eps, x0)
        self.noise.expect_steps(self._who("loss"), t)
        a, s = self._factors(t, x0.dtype)
        xt = a * x0 + s * eps                                               # (DIFF.1)
        f, cache = self.net.forward(xt, self._times(t, x0.dtype), y, training)
        loss, df = squared_error(f, target_of(self.predicts, x0, eps, a, s))   # (DIFF.2), (DIFF.3)
        return loss / self.features, DiffusionCache(df / x0.dtype.type(self.features), cache)

    def backward(self, cache: DiffusionCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return df (N, D), the gradient of the network's output."""
        self.net.backward(cache.df, cache.net, input_grad=False)
        return {"df": cache.df}

    def bound(
        self, X: np.ndarray, y: np.ndarray | None = None, *, rng: np.random.Generator | int = 0
    ) -> Bound:
        """The terms of the bound (DIFF.5) of each example, with one random x_t for each step t.

        With `levels`, X holds grey levels k/(levels − 1), and the bound is on −log P(levels); otherwise it is
        on the negative log-density of X.
        """
        return self._bound(X, y, rng, "bound")

    def _bound(self, X: np.ndarray, y: Any, rng: np.random.Generator | int, method: str) -> Bound:
        X = self._as_data(X, method)
        if self.levels is not None:
            _expect_grey_levels(self._who(method), X, self.levels)
        y = self._labels(y, len(X), method, needed=False)
        rng = as_generator(self._who(method), rng)
        rows = [slice(i, i + 500) for i in range(0, len(X), 500)]
        parts = [self._bound_of(X[part], None if y is None else y[part], rng) for part in rows]
        return Bound(*(np.concatenate(term) for term in zip(*parts, strict=True)))

    def _bound_of(self, X: np.ndarray, y: Any, rng: np.random.Generator) -> Bound:
        x0 = self._scaled(X)
        exact = x0.astype(np.float64)
        last = self.noise.alpha_bar[-1]
        kl = Normal.kl(np.sqrt(last) * exact, np.log(1 - last))             # of (DIFF.5), entry by entry
        steps = np.empty((len(x0), self.steps - 1))
        for t in range(self.steps, 0, -1):
            a, s = self._factors(np.int64(t), x0.dtype)
            xt = a * x0 + s * rng.standard_normal(x0.shape).astype(x0.dtype)        # (DIFF.1)
            mean = self._denoise_clipped(xt, t, y)[0].astype(np.float64)
            if t > 1:
                of_x0, _, small = self.noise.posterior(t)                   # (DIFF.4)
                variance = small if self.variance == "small" else self.noise.beta[t]
                error = ((exact - mean) ** 2).sum(axis=1)
                ratio = small / variance
                steps[:, t - 2] = 0.5 * self.features * (ratio - 1 - math.log(ratio))
                steps[:, t - 2] += of_x0**2 / (2 * variance) * error        # (DIFF.6)
        return Bound(kl.sum(axis=1), steps, -self._log_prob_of_data(exact, mean))

    def _log_prob_of_data(self, x0: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """log p(x_0 | x_1), (N,), (DIFF.7); a density in the units of X, or probabilities of grey levels."""
        logvar = math.log(self.noise.beta[1])
        if self.levels is None:
            return (Normal.log_prob(x0, mean, logvar) - np.log(self.scale.astype(np.float64))).sum(axis=1)
        std = math.exp(0.5 * logvar)
        return grey_level_log_prob(x0, mean, std, self.levels).sum(axis=1)          # (DIFF.7)

    def bits_per_dim(
        self, X: np.ndarray, y: np.ndarray | None = None, *, rng: np.random.Generator | int = 0
    ) -> Bound:
        """The terms of the bound of each example in bits per dimension; see `bound`. Lower is better.

        (DIFF.11)  bits = nats/(D·log 2)

        With `levels`, the bound is on −log P(levels), so this is −log₂ P/D, and no offset for the levels is
        added: the same probability for all levels is log₂ levels bits. metrics.bits_per_dim, which converts
        a density of dequantised pixels, adds one. Otherwise it is −log₂ p(x)/D, which may be negative.
        """
        bound = self._bound(X, y, rng, "bits_per_dim")
        return Bound(*(term / (self.features * math.log(2)) for term in bound))     # (DIFF.11)

    def score_samples(
        self, X: np.ndarray, y: np.ndarray | None = None, *, rng: np.random.Generator | int = 0
    ) -> np.ndarray:
        """A lower bound on log p(x) in nats of each example, (N,), with one x_t per step; see `bound`."""
        return -self._bound(X, y, rng, "score_samples").total


def _expect_grey_levels(who: str, X: np.ndarray, levels: int) -> None:
    """Raise ValueError unless all values of X are grey levels k/(levels − 1), up to rounding."""
    k = X * (levels - 1)
    if np.abs(k - np.rint(k)).max() > 0.01:
        raise ValueError(
            f"{who} expected {levels} grey levels, k/{levels - 1} with an integer k, got values between "
            f"them; pass np.rint(X * {levels - 1}) / {levels - 1}"
        )


def grey_level_log_prob(x0: np.ndarray, mean: np.ndarray, std: float, levels: int) -> np.ndarray:
    """log P(grey level), entry by entry, of a Normal cut into intervals around the levels in [−1, 1].

    (DIFF.10)  P(x) = Φ((x + h − mean)/std) − Φ((x − h − mean)/std),  h = 1/(levels − 1)

    The outer ends of the lowest and the highest level are −∞ and ∞. Source: Ho et al. 2020, equation 13.
    """
    half = 1 / (levels - 1)
    low = np.where(x0 <= -1 + half, -np.inf, (x0 - half - mean) / std)
    high = np.where(x0 >= 1 - half, np.inf, (x0 + half - mean) / std)
    return normal_log_interval(low, high)                               # (DIFF.10)
