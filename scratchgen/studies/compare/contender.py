"""The description of a model for the comparison. The cards of the families list the contenders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.studies.spaces import SEED, Space


def log_prob(model: Any, X: np.ndarray) -> dict[str, np.ndarray]:
    """log p(x) of each example, (N,), by kind; empty for a model without a likelihood."""
    return {} if model.likelihood is None else {model.likelihood: model.score_samples(X)}


def mean_log_prob(model: Any, X: np.ndarray) -> float:
    """The mean log p(x) of X in nats."""
    return float(model.score_samples(X).mean())


def encode(model: Any, X: np.ndarray) -> np.ndarray:
    """The latent codes of X by the model's own transform."""
    codes: np.ndarray = model.transform(X)
    return codes


def decode(model: Any, Z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The examples that the model generates from latent codes Z."""
    examples: np.ndarray = model.inverse_transform(Z)
    return examples


@dataclass(frozen=True)
class Latent:
    """How a model relates latent codes z to examples x.

    relation : "stochastic", "one to one" or "deterministic"
    encode   : (model, X) -> Z
    sample   : (model, Z, rng) -> X, one sample of p(x | z) for each code
    """

    relation: str
    encode: Callable[[Any, np.ndarray], np.ndarray] = encode
    sample: Callable[[Any, np.ndarray, np.random.Generator], np.ndarray] = decode


@dataclass(frozen=True)
class Contender:
    """One model of the comparison.

    name, family : of the model, and of the family it belongs to
    space     : the form of its samples and of the data its likelihood describes
    minimises : the divergence from data to model that training minimises
    build     : rng -> model
    settings  : for `model.trainer`; learning rates are schedules, functions of the fraction of the time spent
    latent    : None for a model without latent codes
    log_prob  : (model, X) -> log p(x) of each example by kind; the first kind is the one to compare
    score     : (model, X) -> a mean log-likelihood that is fast enough to be computed after every epoch, or
        another number that rises as the model improves
    adjust    : (model, X) -> None, fits the parameters that are not trained, on held-out digits
    pixel_std : model -> the standard deviation of its Normal pixels; None without Normal pixels
    mean_images : whether p(x | z) adds noise to a mean image; if so, mean images are measured, too
    """

    name: str
    family: str
    space: Space
    minimises: str
    build: Callable[[np.random.Generator], Any]
    settings: Mapping[str, Any]
    latent: Latent | None = None
    log_prob: Callable[[Any, np.ndarray], dict[str, np.ndarray]] = log_prob
    score: Callable[[Any, np.ndarray], float] = mean_log_prob
    adjust: Callable[[Any, np.ndarray], None] = lambda model, X: None
    pixel_std: Callable[[Any], float] | None = None
    mean_images: bool = False

    @property
    def relation(self) -> str:
        """How z and x are related, for a table."""
        return "none" if self.latent is None else self.latent.relation

    def seeded(self) -> Any:
        """The model, built with the seed of the comparison."""
        return self.build(np.random.default_rng(SEED))
