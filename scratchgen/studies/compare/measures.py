"""What is measured of a trained model, and of true digits in its place."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics import (
    Shares,
    choose_sigma,
    digit_shares,
    frechet_distance,
    nearest_distance,
    parzen_log_likelihood,
    squared_error_per_example,
)
from scratchgen.models import GAN, VAE, ConvClassifier, Flow
from scratchgen.studies.compare.baseline import NAMES, independent_pixels
from scratchgen.studies.compare.families import GREY, SEED, SPACES, Family, Trained, seen_as
from scratchgen.studies.compare.inversion import invert
from scratchgen.studies.compare.likelihood import Likelihood, Space

TRIPS = 64          # digits, and codes, that make the round trip
SHOWN = 9           # samples in the picture
TRUE = "true training digits"
HELD_OUT = 12       # one in so many training digits is held out


@dataclass(frozen=True)
class Split:
    """The digits of a comparison: the last part of the training digits only chooses epochs and a sigma."""

    train: np.ndarray
    held_out: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

    @classmethod
    def of(cls, digits: Digits) -> Split:
        n = len(digits.x_train) // HELD_OUT
        if n < 1:
            raise ValueError(f"Split expected {HELD_OUT} training digits or more, got {len(digits.x_train)}")
        return cls(digits.x_train[:-n], digits.x_train[-n:], digits.x_test, digits.y_test)


@dataclass(frozen=True)
class Looks:
    """What samples look like to the judge, and to a ruler.

    frechet : the distance of the judge's features, samples against test digits in the same space
    shares  : of each digit, as the judge reads them
    nearest : median distance from a sample to the nearest training digit
    """

    frechet: float
    shares: Shares
    nearest: float

    def worst_share(self, expected: np.ndarray) -> float:
        """How far the share of the worst digit lies from the expected one, in points."""
        return float(100 * np.abs(self.shares.share - expected).max())


@dataclass(frozen=True)
class Measured:
    """One trained model, measured.

    likelihoods : of the test digits; the first is the one that is compared
    there_and_back : mean squared error per test digit of x → z → x; None where there is no z
    code_back : mean of ‖ẑ − z‖² / K over draws from the prior, z → x → ẑ; 1 if ẑ is always the mean, 0
    epochs, epoch_seconds, kept : of training, see Trained;  sample_ms : processor time for one sample
    looks : of samples;  means : of a VAE's mean images, against grey test digits;  std : of its Normal pixels
    samples, neighbours : for the picture, (SHOWN, D) each
    """

    family: Family
    likelihoods: tuple[Likelihood, ...]
    there_and_back: float | None
    code_back: float | None
    epochs: int
    epoch_seconds: float
    kept: int
    sample_ms: float
    parameters: int
    looks: Looks
    means: Looks | None
    std: float | None
    samples: np.ndarray = field(repr=False)
    neighbours: np.ndarray = field(repr=False)


class Ruler:
    """Measures models by one split and one judge."""

    def __init__(self, split: Split, judge: ConvClassifier):
        self.split, self.judge = split, judge
        self.expected = digit_shares(split.test_labels).share
        self.features = {space: judge.features(seen_as(space, split.test)) for space in SPACES}

    def looks(self, samples: np.ndarray, space: Space) -> Looks:
        """samples (n, D) within [0, 1] against the test digits seen as this space has them."""
        return Looks(
            frechet_distance(self.judge.features(samples), self.features[space]),
            digit_shares(self.judge.predict(samples)),
            float(np.median(nearest_distance(samples, self.split.train))),
        )

    def true_digits(self, space: Space) -> Looks:
        """As many training digits as there are test digits, in place of samples: what is left at the best."""
        rng = np.random.default_rng(SEED)
        chosen = rng.permutation(len(self.split.train))[: len(self.split.test)]
        looks = self.looks(seen_as(space, self.split.train[chosen]), space)
        # A training digit is its own neighbour; how near a digit comes that was not seen, test digits tell.
        nearest = nearest_distance(seen_as(space, self.split.test), self.split.train)
        return Looks(looks.frechet, looks.shares, float(np.median(nearest)))

    def parzen(self, samples: np.ndarray, space: Space) -> Likelihood:
        """Bumps on samples, as wide as suits the digits held out best."""
        sigma = choose_sigma(seen_as(space, self.split.held_out), samples)
        log_prob = parzen_log_likelihood(seen_as(space, self.split.test), samples, sigma)
        return Likelihood.of(log_prob, "Parzen", space)

    def beside(self, space: Space) -> dict[str, Likelihood]:
        """What stands beside the models of a space: where they are rated by Parzen windows, those of true
        training digits in place of samples; else a model in which each pixel goes its own way.
        """
        split = self.split
        if space == GREY:
            chosen = np.random.default_rng(SEED).permutation(len(split.train))[: len(split.test)]
            return {TRUE: self.parzen(seen_as(space, split.train[chosen]), space)}
        parts = (seen_as(space, x) for x in (split.train, split.held_out, split.test))
        log_prob = independent_pixels(*parts, discrete=space.discrete)
        return {NAMES[space.discrete]: Likelihood.of(log_prob, "exact", space)}

    def measure(self, family: Family, trained: Trained) -> Measured:
        model, split = trained.model, self.split
        rng = np.random.default_rng(SEED)
        model.sample(2, rng=rng)                                # compiles what sampling alone needs
        start = time.process_time()
        samples = np.clip(model.sample(len(split.test), rng=rng), 0, 1)
        sample_ms = 1000 * (time.process_time() - start) / len(samples)
        shown = samples[:SHOWN]
        there_and_back, code_back = round_trips(model, seen_as(family.space, split.test)[:TRIPS])
        means = std = None
        if isinstance(model, VAE):
            std = getattr(model.observation, "std", None)
            images = np.clip(model.inverse_transform(model.prior_sample(len(samples), rng=rng)), 0, 1)
            means = self.looks(images, GREY)                     # mean images are grey
        return Measured(
            family,
            self.likelihoods(family, model, samples),
            there_and_back,
            code_back,
            trained.epochs,
            trained.epoch_seconds,
            trained.kept,
            sample_ms,
            sum(p.size for p in model.parameters().values()),
            self.looks(samples, family.space),
            means,
            std,
            shown,
            np.stack([split.train[((split.train - x) ** 2).sum(axis=1).argmin()] for x in shown]),
        )

    def likelihoods(self, family: Family, model: Any, samples: np.ndarray) -> tuple[Likelihood, ...]:
        """What the model's log p(x) of the test digits can be had as."""
        x = seen_as(family.space, self.split.test)
        if isinstance(model, VAE):
            bound = model.elbo(x, rng=np.random.default_rng(SEED), samples=10)
            return (
                Likelihood.of(model.score_samples(x), "importance-sampled", family.space),
                Likelihood.of(bound, "lower bound", family.space),
            )
        if model.likelihood is None:
            return (self.parzen(samples, family.space),)
        return (Likelihood.of(model.score_samples(x), model.likelihood, family.space),)


def round_trips(model: Any, x: np.ndarray) -> tuple[float | None, float | None]:
    """(error of x → z → x, error of z → x → z) for x (N, D), and as many codes from the prior.

    A VAE's z is the mean of q(z | x), its x the mean image on the way from x, and a draw from p(x | z) on the
    way from z; a GAN's z is looked for. (None, None) where there is no z.
    """
    rng = np.random.default_rng(SEED)
    to_z: Callable[[np.ndarray], np.ndarray]
    if isinstance(model, VAE):
        z, to_z = model.prior_sample(len(x), rng=rng), model.transform
        drawn = model.observation.sample(model.decode(z), rng)
    elif isinstance(model, Flow):
        z, to_z = model.prior_sample(len(x), rng=rng), model.transform
        drawn = model.inverse_transform(z)
    elif isinstance(model, GAN):
        z = model.prior_sample(len(x), rng=rng)
        drawn = model.inverse_transform(z)

        def to_z(X: np.ndarray) -> np.ndarray:
            return invert(model, X, rng=np.random.default_rng(SEED + 1))
    else:
        return None, None
    back = model.inverse_transform(to_z(x))
    variance = z.var(dtype=np.float64)                          # 1, or that of a flow's logistic prior
    code_back = ((to_z(drawn) - z).astype(np.float64) ** 2).mean() / variance
    return float(squared_error_per_example(back, x).mean()), float(code_back)
