"""What can say that an image is foreign: models, how they are fitted, and every score that each has.

All scores are high for what looks foreign.

(ANOM.1)  s(x) = −log p(x)
(ANOM.2)  s(x) = |−log p(x) − h|,  h = medianₘ −log p(xₘ)       over M digits held out; typicality

(ANOM.1) asks whether x is improbable; (ANOM.2), after Nalisnick et al. 2019, whether its log-density is what
that of digits is, too high being as suspect as too low. Derived in docs/anomaly.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchgen.checks import check_name
from scratchgen.data import binarise, dequantise
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import GAN, MADE, NICE, PCA, VAE, Autoencoder, PixelCNN, RealNVP
from scratchgen.models.networks import in_batches
from scratchgen.training.optimisers import Schedule
from scratchgen.training.schedules import Cosine, OneCycle

BOUND_DRAWS, IMPORTANCE_DRAWS = 4, 25
TYPICALITY = "typicality"
Score = Callable[[Any, np.ndarray], np.ndarray]


def minus_log_p(model: Any, X: np.ndarray) -> np.ndarray:
    return -model.score_samples(X)                              # (ANOM.1)


def minus_importance_sampled(model: VAE, X: np.ndarray) -> np.ndarray:
    return -model.score_samples(X, samples=IMPORTANCE_DRAWS)    # (ANOM.1)


def minus_bound(model: VAE, X: np.ndarray) -> np.ndarray:
    return -model.elbo(X, rng=np.random.default_rng(0), samples=BOUND_DRAWS)


def reconstruction_error(model: Any, X: np.ndarray) -> np.ndarray:
    return squared_error_per_example(X, model.reconstruct(X))


def minus_logit(model: GAN, X: np.ndarray) -> np.ndarray:
    """D's logit with its sign turned: D(x) itself is 1 to float32 for all of which D is sure, a tie."""
    return -in_batches(lambda x: model.discriminator.forward(x)[0], X)[:, 0]


def typicality(minus_log: np.ndarray, held: np.ndarray) -> np.ndarray:
    """How far −log p(x), (N,), is from its median over digits held out, (M,): (N,).

    The median, as one digit on which a flow's scales blow up drags the mean away from all others.
    """
    return np.abs(minus_log - np.median(held))                  # (ANOM.2)


class Ink:
    """No model at all: an image is the more foreign the more ink it has."""

    def fit(self, X: np.ndarray) -> Ink:
        return self

    def amount(self, X: np.ndarray) -> np.ndarray:
        return X.sum(axis=1, dtype=np.float64)


def as_it_is(x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    return x


@dataclass(frozen=True)
class Detector:
    """A model, and what it can say of an image.

    name   : on the command line;  title : in tables
    build  : rng -> model
    scores : name -> function of model and X, high for the foreign;  density : the one that typicality takes
    lacks  : name of a score -> why this model has none
    seen   : from grey pixels to what the model's scores are of
    shown  : how many digits a fit shows it, counting each time; 0 for a model that is computed in one go
    batch, lr : of the fit; lr is a function, steps -> schedule
    """

    name: str
    title: str
    build: Callable[[np.random.Generator], Any]
    scores: Mapping[str, Score]
    density: str | None = None
    lacks: Mapping[str, str] = field(default_factory=dict)
    seen: Callable[..., np.ndarray] = as_it_is
    shown: int = 0
    batch: int = 64
    lr: Callable[[int], Schedule] = lambda steps: OneCycle(3e-3, steps)

    def fit(self, x: np.ndarray, seed: int, effort: float = 1.0) -> Any:
        """A model of its own, fitted to grey digits x (N, 784), effort times as long as usual."""
        rng = np.random.default_rng(seed)
        model = self.build(rng)
        if not self.shown:
            return model.fit(x)
        epochs = max(1, round(effort * self.shown / len(x)))
        batch = min(self.batch, len(x))
        lr = self.lr(epochs * -(-len(x) // batch))
        return model.fit(x, epochs=epochs, batch_size=batch, lr=lr, rng=rng)

    def kinds(self) -> list[str]:
        """The names of all scores, in the order of the tables."""
        return [*self.scores, *[TYPICALITY] * (self.density is not None)]

    def rate(
        self, model: Any, held: np.ndarray, groups: Mapping[str, np.ndarray], seed: int
    ) -> dict[str, dict[str, np.ndarray]]:
        """Every score of every group of grey images: score -> group -> (N,).

        Pixels are binarised or dequantised once, by `seed`. Raises ArithmeticError for a score that is no
        number, naming it and the group.
        """
        rng = np.random.default_rng(seed)
        seen = {name: self.seen(x, rng=rng) for name, x in {"held": held, **groups}.items()}
        result: dict[str, dict[str, np.ndarray]] = {}
        for kind, score in self.scores.items():
            result[kind] = {name: score(model, x) for name, x in seen.items()}
        if self.density is not None:
            minus_log = result[self.density]
            result[TYPICALITY] = {name: typicality(s, minus_log["held"]) for name, s in minus_log.items()}
        for kind, of_groups in result.items():
            for name, values in of_groups.items():
                if not np.isfinite(values).all():
                    raise ArithmeticError(f"{self.title}: {kind} of {name} has a value that is not finite")
        return result


NO_DECODING = "it has no code to come back from"
EXACT_ALREADY = "its log-density is exact"
NO_GAME = "nobody was trained to tell real from drawn"
DENSITY = "log-density"
BOUND, IMPORTANCE, ERROR = "bound", "importance-sampled", "reconstruction error"
LOGIT, INK = "discriminator", "ink"
KINDS = (DENSITY, BOUND, IMPORTANCE, ERROR, LOGIT, TYPICALITY, INK)
ROUND_TRIP = "x → z → x is exact, for foreign images too"
_EXACT = {BOUND: EXACT_ALREADY, IMPORTANCE: EXACT_ALREADY, LOGIT: NO_GAME}
_NONE = "it has no likelihood"
_NO_DENSITY = {DENSITY: _NONE, BOUND: _NONE, IMPORTANCE: _NONE, TYPICALITY: _NONE}
_VAE_LACKS = {DENSITY: "the integral over its codes can only be estimated", LOGIT: NO_GAME}
_VAE_SCORES = {BOUND: minus_bound, IMPORTANCE: minus_importance_sampled, ERROR: reconstruction_error}
_FLOW: dict[str, Any] = {
    "scores": {DENSITY: minus_log_p},
    "density": DENSITY,
    "lacks": {**_EXACT, ERROR: ROUND_TRIP},
    "seen": dequantise,
}
_COINS: dict[str, Any] = {
    "scores": {DENSITY: minus_log_p},
    "density": DENSITY,
    "lacks": {**_EXACT, ERROR: NO_DECODING},
    "seen": binarise,
}

DETECTORS = (
    Detector(
        "ink", "no model", lambda rng: Ink(), {INK: Ink.amount},
        lacks={**{kind: "there is no model" for kind in KINDS if kind != INK}},
    ),
    Detector(
        "pca", "PCA, 30 components", lambda rng: PCA(30),
        {DENSITY: minus_log_p, ERROR: reconstruction_error}, density=DENSITY, lacks=_EXACT,
    ),
    Detector(
        "autoencoder", "autoencoder 784-256-30",
        lambda rng: Autoencoder.dense((784, 256, 30), rng=rng),
        {ERROR: reconstruction_error}, lacks={**_NO_DENSITY, LOGIT: NO_GAME}, shown=25_000,
    ),
    Detector(
        "vae2", "VAE 784-300-2", lambda rng: VAE.dense((784, 300, 2), rng=rng), _VAE_SCORES,
        density=IMPORTANCE, lacks=_VAE_LACKS, seen=binarise, shown=25_000,
    ),
    Detector(
        "vae", "VAE 784-300-32", lambda rng: VAE.dense((784, 300, 32), rng=rng), _VAE_SCORES,
        density=IMPORTANCE, lacks=_VAE_LACKS, seen=binarise, shown=25_000,
    ),
    Detector(
        "made", "MADE 784-300-784",
        lambda rng: MADE(784, (300,), rng=rng, binarisation="dynamic"), **_COINS, shown=25_000,
        lr=lambda steps: OneCycle(5e-3, steps),
    ),
    Detector(
        "nice", "NICE, 4 couplings of 2 × 300",
        lambda rng: NICE.dense(784, (300, 300), 4, levels=256, rng=rng), **_FLOW, shown=20_000,
    ),
    Detector(
        "realnvp", "RealNVP, 4 couplings of 2 × 200",
        lambda rng: RealNVP.dense(784, (200, 200), 4, levels=256, rng=rng), **_FLOW, shown=20_000,
        lr=lambda steps: OneCycle(1e-3, steps),
    ),
    Detector(
        "gan", "GAN, dense, 2 × 300 each", lambda rng: GAN.dense(32, 300, rng=rng),
        {LOGIT: minus_logit}, lacks={**_NO_DENSITY, ERROR: "it has no encoder"}, shown=20_000,
        lr=lambda steps: Cosine(5e-4, steps),
    ),
    Detector(
        "pixelcnn", "PixelCNN, 16 channels, 3 + 1 layers",
        lambda rng: PixelCNN(channels=16, layers=3, binarisation="dynamic", rng=rng), **_COINS,
        shown=12_000, batch=32, lr=lambda steps: OneCycle(5e-3, steps),
    ),
)
BY_NAME = {detector.name: detector for detector in DETECTORS}
USUAL = tuple(detector.name for detector in DETECTORS if detector.name != "pixelcnn")  # as long as all others


def detector(name: str) -> Detector:
    """The detector of that name. Raises ValueError, with the names that there are, for another."""
    return BY_NAME[check_name("model", name, BY_NAME)]
