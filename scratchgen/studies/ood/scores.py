"""Scores for out-of-distribution (OOD) detection. Every score should be high for OOD images.

(OOD.1)  s(x) = −log p(x)
(OOD.2)  s(x) = |−log p(x) − h|,  h = medianₘ −log p(xₘ)       over M held-out digits; typicality

(OOD.1) is high if x is improbable. (OOD.2), after Nalisnick et al. 2019, is high if the log-density of x is
not typical, whether it is too low or too high. Derived in docs/out-of-distribution.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchgen.metrics import squared_error_per_example
from scratchgen.models.networks import in_batches
from scratchgen.training.schedules import OneCycle

BOUND_SAMPLES, IMPORTANCE_SAMPLES = 4, 25
DENSITY, BOUND, IMPORTANCE = "log-density", "bound", "importance-sampled"
ERROR, LOGIT, TYPICALITY, INTENSITY = "reconstruction error", "discriminator", "typicality", "intensity"
SCORES = (DENSITY, BOUND, IMPORTANCE, ERROR, LOGIT, TYPICALITY, INTENSITY)     # in the order of the tables

# Reasons why a model has no such score.
NO_DECODER = "it has no latent code to decode"
NO_ENCODER = "it has no encoder"
NO_DISCRIMINATOR = "it has no discriminator"
EXACT = "its log-density is exact"
ESTIMATED = "the integral over its latent codes can only be estimated"
INVERTIBLE = "x → z → x is exact, for OOD images too"
NO_LIKELIHOOD = "it has no likelihood"
WITHOUT_LIKELIHOOD = dict.fromkeys((DENSITY, BOUND, IMPORTANCE, TYPICALITY), NO_LIKELIHOOD)
WITH_EXACT_DENSITY = {BOUND: EXACT, IMPORTANCE: EXACT, LOGIT: NO_DISCRIMINATOR}

Score = Callable[[Any, np.ndarray], np.ndarray]


def minus_log_p(model: Any, X: np.ndarray) -> np.ndarray:
    """−log p(x) of each example, (N,)."""
    return -model.score_samples(X)                              # (OOD.1)


def minus_importance_sampled(model: Any, X: np.ndarray) -> np.ndarray:
    """−log p(x) of each example by importance sampling, (N,)."""
    return -model.score_samples(X, samples=IMPORTANCE_SAMPLES)    # (OOD.1)


def minus_bound(model: Any, X: np.ndarray) -> np.ndarray:
    """Minus the lower bound on log p(x) of each example, (N,)."""
    return -model.elbo(X, rng=np.random.default_rng(0), samples=BOUND_SAMPLES)


def reconstruction_error(model: Any, X: np.ndarray) -> np.ndarray:
    """The squared error of the reconstruction of each example, (N,)."""
    return squared_error_per_example(X, model.reconstruct(X))


def minus_logit(model: Any, X: np.ndarray) -> np.ndarray:
    """Minus the discriminator's logit, (N,). D(x) itself rounds to 1 in float32 for many images, which
    would tie.
    """
    return -in_batches(lambda x: model.discriminator.forward(x)[0], X)[:, 0]


def typicality(minus_log: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """The distance of −log p(x), (N,), from its median over held-out digits, (M,): (N,).

    A single digit with a very large −log p(x), which a flow can give, would shift the mean, but not the
    median.
    """
    return np.abs(minus_log - np.median(held_out))              # (OOD.2)


class Intensity:
    """The baseline without a model: the score of an image is its total intensity."""

    def fit(self, X: np.ndarray) -> Intensity:
        """Return self: the baseline has no parameters."""
        return self

    def total(self, X: np.ndarray) -> np.ndarray:
        """The sum of all pixels of each image, (N, D) -> (N,)."""
        return X.sum(axis=1, dtype=np.float64)


def unchanged(x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Return the grey pixels unchanged."""
    return x


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A model as a detector of OOD images.

    name, title : on the command line and in tables
    build  : rng -> model
    scores : name -> function of (model, X) -> (N,), high for OOD images
    density : the score that typicality is computed from; None for a model without one
    lacks  : name of a score -> why this model does not have it
    prepare : from grey pixels to the data that the scores describe
    shown  : number of digits that a fit shows the model, with repetition; 0 for a fit without epochs
    batch, lr : of the fit; lr is a schedule
    slow   : whether the study omits the detector by default
    """

    name: str
    title: str
    build: Callable[[np.random.Generator], Any]
    scores: Mapping[str, Score]
    density: str | None = None
    lacks: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[..., np.ndarray] = unchanged
    shown: int = 0
    batch: int = 64
    lr: Callable[[float], float] = OneCycle(3e-3)
    slow: bool = False

    def fit(self, x: np.ndarray, seed: int, effort: float = 1.0) -> Any:
        """A new model, fitted to grey digits x (N, 784), for `effort` times the usual length."""
        rng = np.random.default_rng(seed)
        model = self.build(rng)
        if not self.shown:
            return model.fit(x)
        epochs = max(1, round(effort * self.shown / len(x)))
        return model.fit(x, epochs=epochs, batch_size=min(self.batch, len(x)), lr=self.lr, rng=rng)

    def score_names(self) -> list[str]:
        """The names of all scores of this model."""
        return [*self.scores] if self.density is None else [*self.scores, TYPICALITY]

    def rate(
        self, model: Any, held_out: np.ndarray, groups: Mapping[str, np.ndarray], seed: int
    ) -> dict[str, dict[str, np.ndarray]]:
        """Every score of every group of grey images: score -> group -> (N,).

        Pixels are binarised or dequantised once, with `seed`. Raises ArithmeticError, naming the score and
        the group, for a score that is not finite.
        """
        rng = np.random.default_rng(seed)
        x_held_out = self.prepare(held_out, rng=rng)
        prepared = {name: self.prepare(x, rng=rng) for name, x in groups.items()}
        result: dict[str, dict[str, np.ndarray]] = {}
        for name, score in self.scores.items():
            of_held_out = score(model, x_held_out)
            result[name] = {group: score(model, x) for group, x in prepared.items()}
            if name == self.density:
                result[TYPICALITY] = {g: typicality(s, of_held_out) for g, s in result[name].items()}
        for name in self.score_names():
            for group, values in result[name].items():
                if not np.isfinite(values).all():
                    raise ArithmeticError(f"{self.title}: {name} of {group} has a value that is not finite")
        return {name: result[name] for name in self.score_names()}
