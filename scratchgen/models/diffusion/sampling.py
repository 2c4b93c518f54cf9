"""The samplers of a diffusion: ancestral, DDIM, annealed Langevin dynamics, and completion of known parts."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.checks import as_generator, expect_rows
from scratchgen.models.arguments import count, finite, flag
from scratchgen.models.diffusion.base import DenoisingModel
from scratchgen.models.diffusion.guidance import ClassifierGuidance, expect_guide
from scratchgen.models.diffusion.schedule import NoiseSchedule, x0_and_eps, x0_backward
from scratchgen.models.diffusion.score import score_of
from scratchgen.models.examples import as_examples, cast
from scratchgen.models.networks import in_batches

WIDEST = 10.0       # s_t/a_t of the first noise level of Langevin dynamics, where hardly any data is left


class DiffusionSampler(DenoisingModel):
    """The base of Diffusion: what its network says about x_t, and all ways to draw samples with it.

    (LANG.1)  x ← x + ½·δ·∇ log q(x_t) + √δ·noise                       one Langevin step
    (LANG.2)  δ = h·s_t²                                                the step size at noise level t
    (LANG.3)  x ← (a_u/a_t)·x                                           from level t to a level u < t
    (FILL.1)  x_u ← √ā_u·x_0 + √(1 − ā_u)·noise  where x_0 is known     one jump (SCHED.2)
    (FILL.2)  x_t = √(ā_t/ā_u)·x_u + √(1 − ā_t/ā_u)·noise               back up, from u to t > u

    (DIFF.8) and (DIFF.9) are in the docstring of Diffusion. Sources: Song & Ermon 2019, algorithm 1; Song et
    al. 2021 (score-based), algorithm 3; Lugmayr et al. 2022, algorithm 1. Derived in docs/diffusion.md.
    """

    noise: NoiseSchedule
    steps: int
    predicts: str
    variance: str
    clip: bool

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
        self,
        xt: np.ndarray,
        t: int,
        y: np.ndarray | None = None,
        guidance: float = 0.0,
        guide: ClassifierGuidance | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        a, s = self._factors(np.int64(t), xt.dtype)
        if guide is None:
            return x0_and_eps(self.predicts, self._predict_at(xt, t / self.steps, y, guidance), xt, a, s)
        f, f_backward = self._predict_with_backward(xt, t / self.steps, y, guidance)
        x0, eps = x0_and_eps(self.predicts, f, xt, a, s)
        if guide.sees == "noisy":
            g = guide.gradient(xt, t / self.steps)
        else:
            dx0 = guide.gradient(self._unscaled(x0)) * self.scale
            df, dxt = x0_backward(self.predicts, dx0, a, s)
            g = dxt + f_backward(df)                                        # (GUIDE.4)
        move = xt.dtype.type(guide.strength) * s * g
        return x0 + (s / a) * move, eps - move                              # (GUIDE.2), (GUIDE.3)

    def _denoise_clipped(
        self,
        xt: np.ndarray,
        t: int,
        y: Any,
        guidance: float = 0.0,
        guide: ClassifierGuidance | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Like `denoise`, with x̂_0 clipped to the range of the data, and the êps that belongs to it."""
        x0, eps = self._denoise(xt, t, y, guidance, guide)
        if not self.clip:
            return x0, eps
        x0 = np.clip(x0, self.low, self.high)
        return x0_and_eps("x0", x0, xt, *self._factors(np.int64(t), xt.dtype))

    def score(self, xt: np.ndarray, t: int, y: np.ndarray | None = None, guidance: float = 0.0) -> np.ndarray:
        """The score ∇ log q(x_t) that the network implies at xt (N, D) and step t, (PRED.4)."""
        t, y = self._step(t, "score"), self._condition(xt, y, guidance, "score")
        f = self._predict_at(xt, t / self.steps, y, guidance)
        return score_of(self.predicts, f, xt, *self._factors(np.int64(t), xt.dtype))    # (PRED.4)

    def sample(
        self,
        n: int,
        *,
        rng: np.random.Generator | int,
        y: np.ndarray | None = None,
        guidance: float = 0.0,
        steps: int | None = None,
        eta: float = 1.0,
        guide: ClassifierGuidance | None = None,
    ) -> np.ndarray:
        """Draw n examples, (n, D), by removing noise step by step (DIFF.8).

        y : labels (n,), for a model with classes; None for samples of any class
        guidance : w of (GUIDE.1); above 0 the samples are more typical of their class and less varied
        steps : how many of the T steps are visited, evenly; None for all of them
        eta : the share of fresh noise: 1 with all steps is ancestral sampling (DIFF.4), 0 deterministic DDIM
        guide : a classifier that guides the samples towards a class (GUIDE.2); the model needs no classes
        """
        self._expect_count(n)
        y = self._expect_condition(y, n, guidance, "sample")
        finite(self._who("sample"), "eta", eta, least=0, most=1)
        visited = self._visited(steps, "sample")
        guide = expect_guide(self._who("sample"), guide, n)
        rng = as_generator(self._who("sample"), rng)
        z = self.prior_sample(n, rng=rng)

        def solve(rows: np.ndarray) -> np.ndarray:
            x, part = z[rows], None if y is None else y[rows]
            part_guide = None if guide is None else guide.of_rows(rows)
            for t, u in pairwise(visited):
                x = self._ddim(self._denoise_clipped(x, t, part, guidance, part_guide), t, u, eta, rng)
            return self._unscaled(x)

        return self._expect_finite(in_batches(solve, np.arange(n)), "sample")

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

    def langevin(
        self,
        n: int,
        *,
        rng: np.random.Generator | int,
        y: np.ndarray | None = None,
        guidance: float = 0.0,
        guide: ClassifierGuidance | None = None,
        noise_levels: int | None = None,
        steps: int = 20,
        step_size: float = 0.5,
        predictor: bool = False,
    ) -> np.ndarray:
        """Draw n examples, (n, D), by annealed Langevin dynamics (LANG.1), which needs only the score.

        At each of some noise levels t, from much noise to little, it makes `steps` Langevin steps. The first
        level starts with N(0, I), each other one with the points of the level before, on its own scale
        (LANG.3). The result is x̂_0 at t = 1.

        noise_levels : how many of the T steps are used, so that s_t/a_t falls by about the same factor each
            time; 1 is t = 1 alone, which is Langevin dynamics without annealing; None for 20, or T if it is
            less
        steps : Langevin steps at each level
        step_size : h of (LANG.2). Smaller steps are more exact: a Normal gets a variance that is too large
            by a factor of at most 1/(1 − h/4) where the steps have converged
        predictor : whether a step of ancestral sampling (DIFF.8) leads from each level to the next, instead
            of (LANG.3). The Langevin steps then correct its error, so fewer of them are needed
        y, guidance, guide : as for `sample`
        """
        who = self._who("langevin")
        self._expect_count(n, "langevin")
        y = self._expect_condition(y, n, guidance, "langevin")
        guide = expect_guide(who, guide, n)
        levels = self._noise_levels(min(20, self.steps) if noise_levels is None else noise_levels, who)
        count(who, "steps", steps)
        finite(who, "step_size", step_size, above=0, most=1)
        flag(who, "predictor", predictor)
        rng = as_generator(who, rng)
        z = self.prior_sample(n, rng=rng)

        def solve(rows: np.ndarray) -> np.ndarray:
            x, part = z[rows], None if y is None else y[rows]
            part_guide = None if guide is None else guide.of_rows(rows)
            for t, u in pairwise([*levels, 0]):
                for _ in range(steps):
                    eps = self._denoise_clipped(x, t, part, guidance, part_guide)[1]
                    x = self._langevin_step(x, eps, t, step_size, rng)
                if predictor or u == 0:
                    x = self._ddim(self._denoise_clipped(x, t, part, guidance, part_guide), t, u, 1.0, rng)
                else:
                    x = x.dtype.type(self.noise.a[u] / self.noise.a[t]) * x     # (LANG.3)
            return self._unscaled(x)

        return self._expect_finite(in_batches(solve, np.arange(n)), "langevin")

    def _noise_levels(self, levels: int, who: str) -> list[int]:
        """Steps from T to 1 whose noise-to-data ratio s_t/a_t falls geometrically."""
        if count(who, "noise_levels", levels) > self.steps:
            raise ValueError(f"{who} expected noise_levels of at most {self.steps}, got {levels}")
        ratio = self.noise.s[1:] / self.noise.a[1:]
        wanted = np.geomspace(ratio[0], min(ratio[-1], WIDEST), levels)
        nearest = np.abs(np.log(ratio) - np.log(wanted)[:, None]).argmin(axis=1) + 1
        return [int(t) for t in np.unique(nearest)[::-1]]

    def _langevin_step(
        self, x: np.ndarray, eps: np.ndarray, t: int, step_size: float, rng: np.random.Generator
    ) -> np.ndarray:
        number = x.dtype.type
        s = self.noise.s[t]
        size = step_size * s**2                                             # (LANG.2)
        drift = number(-0.5 * size / s) * eps                               # ½·δ·score, by (SCORE.1)
        return x + drift + number(math.sqrt(size)) * rng.standard_normal(x.shape).astype(x.dtype)  # (LANG.1)

    def complete(
        self,
        X: np.ndarray,
        observed: np.ndarray,
        *,
        rng: np.random.Generator | int,
        y: np.ndarray | None = None,
        guidance: float = 0.0,
        steps: int | None = None,
        repeats: int = 10,
    ) -> np.ndarray:
        """Draw the features that are not observed, given those that are, (N, D) (Lugmayr et al. 2022).

        At every step, the observed features are replaced by those of X with the right amount of noise
        (FILL.1). The other features of this step were drawn without them, so both parts do not match. So each
        step is repeated: noise is added again (FILL.2) and removed, now from both parts together. With more
        steps and repeats, the result tends to the exact conditional distribution.

        X : (N, D), whose values at features that are not observed are ignored
        observed : (D,) of bool. The observed features are returned exactly as they are
        y, guidance, steps : as for `sample`
        repeats : how often each step is made; 1 is replacement alone, whose variance is too large
        """
        who = self._who("complete")
        known = self._expect_observed(X, observed, who)
        y = self._expect_condition(y, len(X), guidance, "complete")
        visited = self._visited(steps, "complete")
        count(who, "repeats", repeats)
        rng = as_generator(who, rng)
        z = self.prior_sample(len(X), rng=rng)

        def solve(rows: np.ndarray) -> np.ndarray:
            x, x0, part = z[rows], self._scaled(known[rows]), None if y is None else y[rows]
            for t, u in pairwise(visited):
                for i in range(repeats if u else 1):
                    if i:
                        x = self._noised(x, u, t, rng)                      # (FILL.2)
                    x = self._ddim(self._denoise_clipped(x, t, part, guidance), t, u, 1.0, rng)
                    x = np.where(observed, self._noised(x0, 0, u, rng), x)  # (FILL.1)
            return np.where(observed, known[rows], self._unscaled(x))

        return self._expect_finite(in_batches(solve, np.arange(len(X))), "complete")

    def _expect_observed(self, X: Any, observed: Any, who: str) -> np.ndarray:
        """Check the arguments of `complete`; return X with 0 where it is not observed."""
        observed = np.asarray(observed)
        if observed.shape != (self.features,) or observed.dtype != np.bool_:
            got = f"shape {observed.shape} of {observed.dtype}"
            raise ValueError(f"{who} expected observed to be ({self.features},) bools, got {got}")
        X = cast(who, X, self.dtype)
        expect_rows(who, X, features=self.features, dtype=self.dtype)
        known = np.where(observed, X, X.dtype.type(0))
        return self._as_data(known, "complete")

    def _noised(self, x: np.ndarray, u: int, t: int, rng: np.random.Generator) -> np.ndarray:
        """x_t for a later step t, from x at step u."""
        kept = self.noise.alpha_bar[t] / self.noise.alpha_bar[u]
        noise = rng.standard_normal(x.shape).astype(x.dtype)
        return x.dtype.type(math.sqrt(kept)) * x + x.dtype.type(math.sqrt(1 - kept)) * noise

    def transform(
        self, X: np.ndarray, y: np.ndarray | None = None, *, steps: int | None = None
    ) -> np.ndarray:
        """The latent codes x_T of X, (N, D): DDIM without noise, from step 0 to T."""
        return self._encoded(X, y, steps, "transform")

    def _encoded(self, X: np.ndarray, y: Any, steps: int | None, method: str) -> np.ndarray:
        X = as_examples(self._who(method), X, self.dtype, features=self.features)
        y = self._labels(y, len(X), method, needed=False)
        visited = self._visited(steps, method)[::-1]

        def solve(rows: np.ndarray) -> np.ndarray:
            x, part = self._scaled(X[rows]), None if y is None else y[rows]
            for t, u in pairwise(visited):
                x = self._ddim(self._denoise(x, max(t, 1), part), max(t, 1), u)
            return x

        return in_batches(solve, np.arange(len(X)))

    def inverse_transform(
        self, Z: np.ndarray, y: np.ndarray | None = None, *, steps: int | None = None
    ) -> np.ndarray:
        """The examples of latent codes Z (N, D): DDIM without noise, from step T to 0."""
        Z = as_examples(self._who("inverse_transform"), Z, self.dtype, features=self.features)
        y = self._labels(y, len(Z), "inverse_transform", needed=False)
        visited = self._visited(steps, "inverse_transform")

        def solve(rows: np.ndarray) -> np.ndarray:
            x, part = Z[rows], None if y is None else y[rows]
            for t, u in pairwise(visited):
                x = self._ddim(self.denoise(x, t, part), t, u)
            return self._unscaled(x)

        return in_batches(solve, np.arange(len(Z)))

    def reconstruct(self, X: np.ndarray, *, steps: int | None = None) -> np.ndarray:
        """Map X to x_T and back, (N, D). The result is nearer to X with more steps."""
        return self.inverse_transform(self._encoded(X, None, steps, "reconstruct"), steps=steps)
