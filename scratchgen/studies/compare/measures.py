"""Measure a trained model, and true digits in place of its samples."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics import (
    choose_sigma,
    nearest_distance,
    parzen_log_likelihood,
    squared_error_per_example,
)
from scratchgen.metrics.labels import Shares
from scratchgen.metrics.samples import FeatureClassifier, SampleMetrics, SampleQuality
from scratchgen.studies.compare.baseline import NAMES, independent_pixels
from scratchgen.studies.compare.contender import Contender, Latent
from scratchgen.studies.compare.likelihood import Likelihood
from scratchgen.studies.compare.train import Trained
from scratchgen.studies.spaces import GREY, SEED, SPACES, Space

TRIPS = 64          # digits, and latent codes, for the errors of round trips
SHOWN = 9           # samples in the figure
TRUE = "true training digits"
HELD_OUT = 12       # 1/12 of the training digits is held out


@dataclass(frozen=True)
class Split:
    """The digits of a comparison. The held-out part of the training digits only chooses epochs and sigma."""

    train: np.ndarray
    held_out: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

    @classmethod
    def of(cls, digits: Digits) -> Split:
        """Hold out the last part of the training digits. Raises ValueError for fewer than HELD_OUT digits."""
        n = len(digits.x_train) // HELD_OUT
        if n < 1:
            raise ValueError(f"Split expected {HELD_OUT} training digits or more, got {len(digits.x_train)}")
        return cls(digits.x_train[:-n], digits.x_train[-n:], digits.x_test, digits.y_test)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One trained model, measured.

    likelihoods    : of the test digits; the first one is compared
    reconstruction : mean squared error per test digit of x → z → x; None for a model without latent codes
    code_recovery  : mean of ‖ẑ − z‖² / K over z from the prior and z → x → ẑ, in units of the variance of z:
        1 if ẑ is always the mean, 0 if it is exact
    epochs, epoch_seconds, kept : of training, as in Trained;  sample_ms : processor time per sample
    quality        : of samples;  mean_images : of mean images, against grey test digits
    std            : of the model's Normal pixels, if it has them
    samples, neighbours : for the figure: samples and the nearest training digit of each, (SHOWN, D)
    """

    contender: Contender
    likelihoods: tuple[Likelihood, ...]
    reconstruction: float | None
    code_recovery: float | None
    epochs: int
    epoch_seconds: float
    kept: int
    sample_ms: float
    parameters: int
    quality: SampleQuality
    mean_images: SampleQuality | None
    std: float | None
    samples: np.ndarray = field(repr=False)
    neighbours: np.ndarray = field(repr=False)


def measured_as_json(measured: Measured) -> dict[str, Any]:
    """All fields but the contender, as values of JSON. Floats keep all their digits."""
    found = {name: value for name, value in vars(measured).items() if name != "contender"}
    for name in ("quality", "mean_images"):
        if found[name] is not None:
            quality: SampleQuality = found[name]
            shares = {"share": quality.shares.share.tolist(), "error": quality.shares.error.tolist()}
            found[name] = vars(quality) | {"shares": shares, "expected": quality.expected.tolist()}
    found["likelihoods"] = [[li.nats, li.error, li.kind] for li in measured.likelihoods]
    for name in ("samples", "neighbours"):
        found[name] = found[name].tolist()
    return found


def measured_from_json(contender: Contender, found: dict[str, Any]) -> Measured:
    """The inverse of `measured_as_json`."""
    found = dict(found)
    for name in ("quality", "mean_images"):
        if found[name] is not None:
            shares = Shares(**{key: np.array(values) for key, values in found[name]["shares"].items()})
            arrays = {"shares": shares, "expected": np.array(found[name]["expected"])}
            found[name] = SampleQuality(**{**found[name], **arrays})
    found["likelihoods"] = tuple(
        Likelihood(nats, error, kind, contender.space) for nats, error, kind in found["likelihoods"]
    )
    for name in ("samples", "neighbours"):
        found[name] = np.array(found[name], np.float32)
    return Measured(contender=contender, **found)


class Measurements:
    """Measures every model with the same split of the digits and the same digit classifier."""

    def __init__(self, split: Split, classifier: FeatureClassifier):
        self.split = split
        self.metrics = {
            space: SampleMetrics(classifier, space.prepare(split.test), split.test_labels, split.train)
            for space in SPACES
        }

    @property
    def expected(self) -> np.ndarray:
        """The share of each digit in the test set, (10,)."""
        return self.metrics[GREY].expected

    def true_digits(self, space: Space) -> SampleQuality:
        """The best possible result: the quality of training digits in place of samples.

        There are as many as test digits. The distance to the nearest training digit is measured for test
        digits, because that of a training digit is zero.
        """
        chosen = np.random.default_rng(SEED).permutation(len(self.split.train))[: len(self.split.test)]
        quality = self.metrics[space].measure(space.prepare(self.split.train[chosen]))
        nearest = nearest_distance(space.prepare(self.split.test), self.split.train)
        return replace(quality, nearest=float(np.median(nearest)))

    def parzen(self, samples: np.ndarray, space: Space) -> Likelihood:
        """The Parzen window on the samples, with the width that suits the held-out digits best."""
        sigma = choose_sigma(space.prepare(self.split.held_out), samples)
        log_prob = parzen_log_likelihood(space.prepare(self.split.test), samples, sigma)
        return Likelihood.of(log_prob, "Parzen", space)

    def baselines(self, space: Space) -> dict[str, Likelihood]:
        """Likelihoods without a trained model, by name.

        The baseline is a Parzen window on training digits for grey pixels, and otherwise independent pixels.
        """
        split = self.split
        if space == GREY:
            chosen = np.random.default_rng(SEED).permutation(len(split.train))[: len(split.test)]
            return {TRUE: self.parzen(space.prepare(split.train[chosen]), space)}
        parts = (space.prepare(x) for x in (split.train, split.held_out, split.test))
        log_prob = independent_pixels(*parts, discrete=space.discrete)
        return {NAMES[space.discrete]: Likelihood.of(log_prob, "exact", space)}

    def measure(self, contender: Contender, trained: Trained) -> Measured:
        """Measure all numbers and images of a model that the tables and the figure show."""
        model, split, space = trained.model, self.split, contender.space
        rng = np.random.default_rng(SEED)
        model.sample(2, rng=rng)                                # compiles what only sampling calls
        start = time.process_time()
        samples = np.clip(model.sample(len(split.test), rng=rng), 0, 1)
        sample_ms = 1000 * (time.process_time() - start) / len(samples)
        shown = samples[:SHOWN]
        reconstruction, recovery = round_trips(model, contender.latent, space.prepare(split.test)[:TRIPS])
        means = None
        if contender.mean_images:
            images = np.clip(model.inverse_transform(model.prior_sample(len(samples), rng=rng)), 0, 1)
            means = self.metrics[GREY].measure(images)          # mean images are grey
        return Measured(
            contender=contender,
            likelihoods=self.likelihoods(contender, model, samples),
            reconstruction=reconstruction,
            code_recovery=recovery,
            epochs=trained.epochs,
            epoch_seconds=trained.epoch_seconds,
            kept=trained.kept,
            sample_ms=sample_ms,
            parameters=sum(p.size for p in model.parameters().values()),
            quality=self.metrics[space].measure(samples),
            mean_images=means,
            std=None if contender.pixel_std is None else contender.pixel_std(model),
            samples=shown,
            neighbours=np.stack([split.train[((split.train - x) ** 2).sum(axis=1).argmin()] for x in shown]),
        )

    def likelihoods(self, contender: Contender, model: Any, samples: np.ndarray) -> tuple[Likelihood, ...]:
        """The likelihoods of the test digits; for a model without any, a Parzen window on its samples."""
        x = contender.space.prepare(self.split.test)
        found = contender.log_prob(model, x).items()
        if not found:
            return (self.parzen(samples, contender.space),)
        return tuple(Likelihood.of(values, kind, contender.space) for kind, values in found)


def round_trips(model: Any, latent: Latent | None, x: np.ndarray) -> tuple[float | None, float | None]:
    """(error of x → z → x, error of z → x → z) for x (N, D) and as many codes from the prior.

    (None, None) for a model without latent codes.
    """
    if latent is None:
        return None, None
    rng = np.random.default_rng(SEED)
    z = model.prior_sample(len(x), rng=rng)                     # (N, K)
    generated = latent.sample(model, z, rng)                    # (N, D)
    back = model.inverse_transform(latent.encode(model, x))     # (N, D)
    variance = z.var(dtype=np.float64)                          # 1, or that of a flow's logistic prior
    recovery = ((latent.encode(model, generated) - z).astype(np.float64) ** 2).mean() / variance
    return float(squared_error_per_example(back, x).mean()), float(recovery)
