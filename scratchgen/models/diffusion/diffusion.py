"""Diffusion: a network that removes noise in many small steps, and so turns noise into data."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import as_generator, expect_examples
from scratchgen.distributions import Normal, normal_log_interval
from scratchgen.layers.time_network import TimeNetwork
from scratchgen.losses import squared_error
from scratchgen.models.arguments import choice, count, finite, flag
from scratchgen.models.diffusion.base import DenoisingModel
from scratchgen.models.diffusion.schedule import SCHEDULES, TARGETS, NoiseSchedule, target_of, x0_and_eps
from scratchgen.models.networks import in_batches

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


class Diffusion(DenoisingModel):
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
    variance : of (DIFF.4), "small" or "large". They are the best ones for data that is a single point, and
        for data from N(0, I); the truth is between them (Ho et al. 2020, section 3.2)
    clip : whether `sample` and `bound` clip x̂_0 to the range of the training data. Where a_t is nearly 0, x̂_0
        from eps is a difference of large numbers divided by a_t, and its error without clipping is large
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
        a, s = self._factors(t, x0.dtype)
        xt = a * x0 + s * eps                                               # (DIFF.1)
        f, cache = self.net.forward(xt, self._times(t, x0.dtype), y, training)
        loss, df = squared_error(f, target_of(self.predicts, x0, eps, a, s))   # (DIFF.2), (DIFF.3)
        return loss / self.features, DiffusionCache(df / x0.dtype.type(self.features), cache)

    def backward(self, cache: DiffusionCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return df (N, D), the gradient of the network's output."""
        self.net.backward(cache.df, cache.net, input_grad=False)
        return {"df": cache.df}

    def _factors(self, t: Any, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        """√ā_t and √(1 − ā_t) of each example, (N, 1), or of one step."""
        a, s = self.noise.a[t].astype(dtype), self.noise.s[t].astype(dtype)
        return (a[:, None], s[:, None]) if np.ndim(t) else (a, s)

    def _times(self, t: Any, dtype: Any) -> np.ndarray:
        return np.asarray(t / self.steps).astype(dtype)

    def denoise(
        self, xt: np.ndarray, t: int, y: np.ndarray | None = None, guidance: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """(x̂_0, êps): the data and the noise that the network sees in xt (N, D) at step t = 1 … T."""
        t, y = self._step(t, "denoise"), self._condition(xt, y, guidance, "denoise")
        return self._denoise(xt, t, y, guidance)

    def _step(self, t: int, method: str) -> int:
        if count(self._who(method), "t", t) > self.steps:
            raise ValueError(f"{self._who(method)} expected t of at most {self.steps}, got {t!r}")
        return t

    def _denoise(
        self, xt: np.ndarray, t: int, y: np.ndarray | None = None, guidance: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        f = self._predict_at(xt, t / self.steps, y, guidance)
        return x0_and_eps(self.predicts, f, xt, *self._factors(np.int64(t), xt.dtype))

    def _denoise_clipped(
        self, xt: np.ndarray, t: int, y: Any, guidance: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Like `denoise`, with x̂_0 clipped to the range of the data, and the êps that belongs to it."""
        x0, eps = self._denoise(xt, t, y, guidance)
        if not self.clip:
            return x0, eps
        x0 = np.clip(x0, self.low, self.high)
        return x0_and_eps("x0", x0, xt, *self._factors(np.int64(t), xt.dtype))

    def score(self, xt: np.ndarray, t: int, y: np.ndarray | None = None, guidance: float = 0.0) -> np.ndarray:
        """The score ∇ log q(x_t) that the network implies at xt (N, D) and step t, (PRED.4)."""
        t, y = self._step(t, "score"), self._condition(xt, y, guidance, "score")
        return -self._denoise(xt, t, y, guidance)[1] / xt.dtype.type(self.noise.s[t])   # (PRED.4)

    def sample(
        self,
        n: int,
        *,
        rng: np.random.Generator | int,
        y: np.ndarray | None = None,
        guidance: float = 0.0,
        steps: int | None = None,
        eta: float = 1.0,
    ) -> np.ndarray:
        """Draw n examples, (n, D), by removing noise step by step (DIFF.8).

        y : labels (n,), for a model with classes; None for samples of any class
        guidance : w of (GUIDE.1); above 0 the samples are more typical of their class and less varied
        steps : how many of the T steps are visited, evenly; None for all of them
        eta : the share of fresh noise: 1 with all steps is ancestral sampling (DIFF.4), 0 deterministic DDIM
        """
        self._expect_count(n)
        y = self._expect_condition(y, n, guidance, "sample")
        finite(self._who("sample"), "eta", eta, least=0, most=1)
        visited = self._visited(steps, "sample")
        rng = as_generator(self._who("sample"), rng)
        z = self.prior_sample(n, rng=rng)

        def solve(rows: np.ndarray) -> np.ndarray:
            x, part = z[rows], None if y is None else y[rows]
            for t, u in zip(visited[:-1], visited[1:], strict=True):
                x = self._ddim(self._denoise_clipped(x, t, part, guidance), t, u, eta, rng)
            return self._unscaled(x)

        return in_batches(solve, np.arange(n))

    def _visited(self, steps: int | None, method: str) -> list[int]:
        """The steps that a sampler visits, from T down to 0."""
        steps = self.steps if steps is None else count(self._who(method), "steps", steps)
        if steps > self.steps:
            raise ValueError(f"{self._who(method)} expected steps of at most {self.steps}, got {steps}")
        return [round(self.steps * (1 - i / steps)) for i in range(steps + 1)]

    def _ddim(
        self, denoised: tuple[np.ndarray, np.ndarray], t: int, u: int, eta: float = 0.0, rng: Any = None
    ) -> np.ndarray:
        """x_u from (x̂_0, êps) at step t, for a later or an earlier step u."""
        x0, eps = denoised
        rest_t, rest_u = 1 - self.noise.alpha_bar[t], 1 - self.noise.alpha_bar[u]
        added = 1 - self.noise.alpha_bar[t] / self.noise.alpha_bar[u]       # β_t, if u = t − 1
        sigma = eta * math.sqrt(rest_u / rest_t * added) if eta and u else 0.0      # (DIFF.9)
        number = x0.dtype.type
        x = number(self.noise.a[u]) * x0 + number(math.sqrt(max(rest_u - sigma**2, 0.0))) * eps
        if sigma == 0:
            return x                                                        # (DIFF.8)
        scale = eta * math.sqrt(added) if self.variance == "large" else sigma
        return x + number(scale) * rng.standard_normal(x.shape).astype(x.dtype)     # (DIFF.8)

    def transform(
        self, X: np.ndarray, y: np.ndarray | None = None, *, steps: int | None = None
    ) -> np.ndarray:
        """The latent codes x_T of X, (N, D): DDIM without noise, from step 0 to T."""
        return self._encoded(X, y, steps, "transform")

    def _encoded(self, X: np.ndarray, y: Any, steps: int | None, method: str) -> np.ndarray:
        expect_examples(self._who(method), X, features=self.features)
        y = self._labels(y, len(X), method, needed=False)
        visited = self._visited(steps, method)[::-1]

        def solve(rows: np.ndarray) -> np.ndarray:
            x, part = self._scaled(X[rows]), None if y is None else y[rows]
            for t, u in zip(visited[:-1], visited[1:], strict=True):
                x = self._ddim(self._denoise(x, max(t, 1), part), max(t, 1), u)
            return x

        return in_batches(solve, np.arange(len(X)))

    def inverse_transform(
        self, Z: np.ndarray, y: np.ndarray | None = None, *, steps: int | None = None
    ) -> np.ndarray:
        """The examples of latent codes Z (N, D): DDIM without noise, from step T to 0."""
        expect_examples(self._who("inverse_transform"), Z, features=self.features)
        y = self._labels(y, len(Z), "inverse_transform", needed=False)
        visited = self._visited(steps, "inverse_transform")

        def solve(rows: np.ndarray) -> np.ndarray:
            x, part = Z[rows], None if y is None else y[rows]
            for t, u in zip(visited[:-1], visited[1:], strict=True):
                x = self._ddim(self.denoise(x, t, part), t, u)
            return self._unscaled(x)

        return in_batches(solve, np.arange(len(Z)))

    def reconstruct(self, X: np.ndarray, *, steps: int | None = None) -> np.ndarray:
        """Map X to x_T and back, (N, D). The result is nearer to X with more steps."""
        return self.inverse_transform(self._encoded(X, None, steps, "reconstruct"), steps=steps)

    def bound(
        self, X: np.ndarray, y: np.ndarray | None = None, *, rng: np.random.Generator | int = 0
    ) -> Bound:
        """The terms of the bound (DIFF.5) of each example, with one random x_t for each step t.

        With `levels`, X holds grey levels k/(levels − 1), and the bound is on −log P(levels); otherwise it is
        on the negative log-density of X.
        """
        return self._bound(X, y, rng, "bound")

    def _bound(self, X: np.ndarray, y: Any, rng: np.random.Generator | int, method: str) -> Bound:
        low, high = (0, 1) if self.levels is not None else (None, None)
        expect_examples(self._who(method), X, features=self.features, low=low, high=high)
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


def grey_level_log_prob(x0: np.ndarray, mean: np.ndarray, std: float, levels: int) -> np.ndarray:
    """log P(grey level), entry by entry, of a Normal cut into intervals around the levels in [−1, 1].

    (DIFF.10)  P(x) = Φ((x + h − mean)/std) − Φ((x − h − mean)/std),  h = 1/(levels − 1)

    The outer ends of the lowest and the highest level are −∞ and ∞. Source: Ho et al. 2020, equation 13.
    """
    half = 1 / (levels - 1)
    low = np.where(x0 <= -1 + half, -np.inf, (x0 - half - mean) / std)
    high = np.where(x0 >= 1 - half, np.inf, (x0 + half - mean) / std)
    return normal_log_interval(low, high)                               # (DIFF.10)
