"""Flow matching: a velocity field that carries noise to data along straight paths."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.data import dequantise
from scratchgen.distributions import Normal
from scratchgen.layers.time_network import TimeNetwork
from scratchgen.losses import squared_error
from scratchgen.models.arguments import choice, count, finite
from scratchgen.models.diffusion.base import DenoisingModel
from scratchgen.models.diffusion.guidance import ClassifierGuidance, expect_guide
from scratchgen.models.diffusion.ode import EXACT_UP_TO, State, divergence, integrate
from scratchgen.models.diffusion.score import score_of_flow
from scratchgen.models.examples import as_examples
from scratchgen.models.networks import in_batches

TIMES = ("uniform", "logit-normal")
EARLIEST = 0.01     # the time before which classifier guidance is not evaluated


class FlowMatchingCache(NamedTuple):
    """The values that backward needs."""

    dv: np.ndarray      # (N, D): the gradient of the loss with respect to the network's output
    net: Any            # the cache of the network


class LogLikelihood(NamedTuple):
    """log p(x) by solving an equation numerically, and how far half as many steps are from it."""

    log_prob: np.ndarray    # (N,), nats
    error: np.ndarray       # (N,), |log_prob − that of half as many steps|


class FlowMatching(DenoisingModel):
    """A network that learns the velocity of straight paths from noise to data (Lipman et al. 2023).

    (FM.1)  x_t  = (1 − t)·x_0 + t·x_1,  x_0 ~ N(0, I) noise, x_1 data, t from 0 to 1
    (FM.2)  dx_t/dt = x_1 − x_0                                 the velocity along one path
    (FM.3)  loss = 1/(N·D) · Σₙ ‖v − (x_1 − x_0)‖²,  v = f(x_t, t)
    (FM.4)  dv   = 2/(N·D) · (v − (x_1 − x_0))
    (FM.5)  the best v is E[x_1 − x_0 | x_t]                    the mean velocity of all paths through x_t
    (FM.6)  dx/dt = f(x, t) carries N(0, I) at t = 0 to the data at t = 1
    (FM.7)  log p(x_1) = log N(x_0; 0, I) − ∫₀¹ div f(x_t, t) dt

    The network works on standardised data, x_1 = (x − shift) / scale, so log p(x) has − Σ log scale as well.
    Sources: Lipman et al. 2023, equations 9 and 22; Liu et al. 2023. Derived in docs/diffusion.md.

    net : a TimeNetwork, such as ResidualNet or UNet
    features : D
    levels : number of grey levels of pixels in [0, 1], which `fit` dequantises (256 for digits); None for
        data that is continuous, whose mean and standard deviation `fit` takes as shift and scale
    times : how t is drawn in training, "uniform", or "logit-normal" for more times in the middle (Esser et
        al. 2024)
    label_dropout : the share of examples whose label is replaced by "no class" in training, for a network
        with classes
    """

    likelihood = "exact"

    def __init__(
        self,
        net: TimeNetwork,
        features: int,
        *,
        levels: int | None = None,
        times: str = "uniform",
        label_dropout: float = 0.1,
    ):
        who = type(self).__name__
        choice(who, "times", times, TIMES)
        super().__init__(net, features, levels=levels, label_dropout=label_dropout)
        self.times = times

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Draw the noise x_0 and the time t of each example; drop some labels; dequantise pixels."""
        x, *labels = batch
        x = x if self.levels is None else dequantise(x, rng=rng, levels=self.levels)
        x1 = self._scaled(x)
        y = self._with_dropped_labels(labels[0] if labels else None, rng)
        return x1, rng.standard_normal(x1.shape, x1.dtype), self._times(len(x), rng), y

    def _times(self, n: int, rng: np.random.Generator) -> np.ndarray:
        if self.times == "uniform":
            return rng.random(n).astype(self.dtype)
        t = 1 / (1 + np.exp(-rng.standard_normal(n)))
        return t.astype(self.dtype)

    def loss(
        self,
        x1: np.ndarray,
        x0: np.ndarray | None = None,
        t: np.ndarray | None = None,
        y: np.ndarray | None = None,
        *,
        rng: np.random.Generator | int | None = None,
        training: bool = False,
    ) -> tuple[float, FlowMatchingCache]:
        """Return (loss, cache) for standardised data x1 (N, D), noise x0 (N, D), times t (N,) and labels y.

        Noise and times that are not given are drawn from rng.
        """
        rng = None if rng is None else as_generator(self._who("loss"), rng)
        if x0 is None or t is None:
            if rng is None:
                raise TypeError(f"{self._who('loss')} expected x0 and t, or rng to draw them")
            x0 = rng.standard_normal(x1.shape).astype(x1.dtype) if x0 is None else x0
            t = self._times(len(x1), rng) if t is None else t
        self._expect_noise("x0", x0, x1)
        if not (t.min() >= 0 and t.max() <= 1):
            who, got = self._who("loss"), f"{t.min():g} to {t.max():g}"
            raise ValueError(f"{who} expected times t in [0, 1], got {got}")
        xt = (1 - t[:, None]) * x0 + t[:, None] * x1                        # (FM.1)
        v, cache = self.net.forward(xt, t, y, training)
        loss, dv = squared_error(v, x1 - x0)                                # (FM.2), (FM.3), (FM.4)
        return loss / self.features, FlowMatchingCache(dv / dv.dtype.type(self.features), cache)

    def backward(self, cache: FlowMatchingCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dv (N, D), the gradient of the network's output."""
        self.net.backward(cache.dv, cache.net, input_grad=False)
        return {"dv": cache.dv}

    def velocity(
        self, x: np.ndarray, t: float, y: np.ndarray | None = None, guidance: float = 0.0
    ) -> np.ndarray:
        """The velocity dx/dt at standardised points x (N, D) and time t; see `predict_at`."""
        finite(self._who("velocity"), "t", t, least=0, most=1)
        return self._predict_at(x, t, self._condition(x, y, guidance, "velocity"), guidance)    # (FM.5)

    def score(
        self, x: np.ndarray, t: float, y: np.ndarray | None = None, guidance: float = 0.0
    ) -> np.ndarray:
        """The score ∇ log p_t(x) at standardised points x (N, D) and time 0 <= t < 1, (SCORE.5).

        At t = 1 there is no noise, and the velocity does not determine the score.
        """
        finite(self._who("score"), "t", t, least=0, below=1)
        v = self._predict_at(x, t, self._condition(x, y, guidance, "score"), guidance)
        return score_of_flow(v, x, x.dtype.type(t))

    def sample(
        self,
        n: int,
        *,
        rng: np.random.Generator | int,
        y: np.ndarray | None = None,
        guidance: float = 0.0,
        steps: int = 25,
        method: str = "heun",
        guide: ClassifierGuidance | None = None,
    ) -> np.ndarray:
        """Draw n examples, (n, D): noise at t = 0 is carried to t = 1 by (FM.6).

        y : labels (n,), for a model with classes; None for samples of any class
        guidance : w of (GUIDE.1); above 0 the samples are more typical of their class and less varied
        steps, method : of the solver, "euler", "heun" or "rk4" (1, 2 and 4 evaluations per step)
        guide : a classifier that guides the samples towards a class (GUIDE.2); the model needs no classes
        """
        self._expect_count(n)
        y = self._expect_condition(y, n, guidance, "sample")
        guide = expect_guide(self._who("sample"), guide, n)
        x0 = self.prior_sample(n, rng=as_generator(self._who("sample"), rng))
        x1 = self._carried(x0, y, guidance, steps, method, "sample", guide)
        return self._expect_finite(x1, "sample")

    def inverse_transform(
        self, Z: np.ndarray, y: np.ndarray | None = None, *, steps: int = 25, method: str = "heun"
    ) -> np.ndarray:
        """The examples that latent codes Z (N, D) are carried to."""
        Z = as_examples(self._who("inverse_transform"), Z, self.dtype, features=self.features)
        y = self._labels(y, len(Z), "inverse_transform", needed=False)
        return self._carried(Z, y, 0.0, steps, method, "inverse_transform")

    def _carried(
        self, x0: np.ndarray, y: Any, guidance: float, steps: int, method: str, who: str, guide: Any = None
    ) -> np.ndarray:
        def solve(rows: np.ndarray) -> np.ndarray:
            part = None if y is None else y[rows]
            part_guide = None if guide is None else guide.of_rows(rows)

            def velocity(state: State, t: float) -> State:
                return (self._guided_velocity(state[0], t, part, guidance, part_guide),)

            (x1,) = integrate(
                velocity, (x0[rows],), 0.0, 1.0, steps=steps, method=method, who=self._who(who)
            )                                                               # (FM.6)
            return self._unscaled(x1)

        return in_batches(solve, np.arange(len(x0)))

    def _guided_velocity(
        self, x: np.ndarray, t: float, y: Any, guidance: float, guide: ClassifierGuidance | None
    ) -> np.ndarray:
        """The velocity that belongs to the score (GUIDE.2).

        (GUIDE.5)  v ← v + (1 − t)/t·w·g      by (SCORE.6)

        At t = 0 both g and t are zero, and the term would be 0/0. So before the time EARLIEST, v at
        EARLIEST is used.
        """
        if guide is None:
            return self._predict_at(x, t, y, guidance)
        t = max(t, EARLIEST)
        v, v_backward = self._predict_with_backward(x, t, y, guidance)
        rest = x.dtype.type(1 - t)
        if guide.sees == "noisy":
            g = guide.gradient(x, t)
        else:
            dx1 = guide.gradient(self._unscaled(x + rest * v)) * self.scale
            g = dx1 + v_backward(rest * dx1)                                # (GUIDE.4)
        return v + x.dtype.type((1 - t) / t * guide.strength) * g           # (GUIDE.5)

    def transform(
        self, X: np.ndarray, y: np.ndarray | None = None, *, steps: int = 25, method: str = "heun"
    ) -> np.ndarray:
        """The latent codes x_0 that are carried to X, (N, D): the same equation, from t = 1 to t = 0."""
        return self._carried_back(X, y, steps, method, "transform")

    def _carried_back(self, X: np.ndarray, y: Any, steps: int, method: str, who: str) -> np.ndarray:
        X = as_examples(self._who(who), X, self.dtype, features=self.features)
        y = self._labels(y, len(X), who, needed=False)

        def solve(rows: np.ndarray) -> np.ndarray:
            part = None if y is None else y[rows]
            (x0,) = integrate(
                lambda state, t: (self._predict_at(state[0], t, part),), (self._scaled(X[rows]),),
                1.0, 0.0, steps=steps, method=method, who=self._who(who),
            )
            return x0

        return in_batches(solve, np.arange(len(X)))

    def reconstruct(self, X: np.ndarray, *, steps: int = 25, method: str = "heun") -> np.ndarray:
        """Carry X to noise and back, (N, D). The result is X up to the error of the solver."""
        codes = self._carried_back(X, None, steps, method, "reconstruct")
        return self._carried(codes, None, 0.0, steps, method, "reconstruct")

    def log_likelihood(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        steps: int = 20,
        method: str = "rk4",
        rng: np.random.Generator | int = 0,
    ) -> LogLikelihood:
        """log p(x) in nats by (FM.7), and its change from half as many steps.

        X : (N, D). With `levels`, these are dequantised pixels, ``data.dequantise(pixels, rng=rng)``
        steps : of the solver, at least 2

        The divergence is exact up to 16 features; above that it is an unbiased estimate with one random
        direction v per example, drawn from rng, whose spread is not in `error`.
        """
        return self._log_likelihood(X, y, steps, method, rng, "log_likelihood")

    def _log_likelihood(
        self, X: np.ndarray, y: Any, steps: int, method: str, rng: np.random.Generator | int, who: str
    ) -> LogLikelihood:
        X = self._as_data(X, who)
        y, who = self._labels(y, len(X), who, needed=False), self._who(who)
        rng = as_generator(who, rng)
        count(who, "steps", steps, least=2)
        probe = None
        if self.features > EXACT_UP_TO:
            probe = rng.choice(np.array([-1, 1], self.dtype), X.shape)

        def solve(rows: np.ndarray, steps: int) -> np.ndarray:
            part, v = (None if a is None else a[rows] for a in (y, probe))

            def slope(state: tuple[np.ndarray, ...], t: float) -> tuple[np.ndarray, ...]:
                return divergence(self.net, state[0], np.full(len(rows), t, self.dtype), part, v)

            x1 = self._scaled(X[rows])
            x0, minus_integral = integrate(
                slope, (x1, np.zeros(len(rows))), 1.0, 0.0, steps=steps, method=method,
                who=who,
            )
            prior = Normal.log_prob(x0.astype(np.float64), 0.0, 0.0).sum(axis=1)
            return prior + minus_integral - np.log(self.scale.astype(np.float64)).sum()     # (FM.7)

        rows = np.arange(len(X))
        fine = in_batches(lambda r: solve(r, steps), rows)
        coarse = in_batches(lambda r: solve(r, steps // 2), rows)
        return LogLikelihood(fine, np.abs(fine - coarse))

    def score_samples(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        steps: int = 20,
        method: str = "rk4",
        rng: np.random.Generator | int = 0,
    ) -> np.ndarray:
        """log p(x) in nats of each example, (N,). The arguments are those of `log_likelihood`.

        Raises ValueError if half as many steps give values that differ by more than 0.05 nats per feature in
        the mean: then the steps are too few for a meaningful figure.
        """
        found = self._log_likelihood(X, y, steps, method, rng, "score_samples")
        error = float(found.error.mean())
        if not error <= 0.05 * self.features:
            raise ValueError(
                f"{self._who('score_samples')} expected enough steps for a meaningful log p(x), but half as "
                f"many give a value that differs by {error:.3g} nats; use more steps"
            )
        return found.log_prob
