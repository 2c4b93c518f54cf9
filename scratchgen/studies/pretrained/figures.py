"""The figures of the model cards, which need nothing but the package: its 1,000 test digits and its models.

Random numbers have a fixed seed, so that a figure can be computed again from the file.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from scratchgen.data import Digits, binarise, load_digits, two_moons
from scratchgen.metrics import accuracy
from scratchgen.metrics.samples import SampleMetrics
from scratchgen.training import load

SAMPLES, SEED = 1000, 0
GUIDANCE = 1.0
Figures = dict[str, float]


@cache
def digits() -> Digits:
    """The digits that come with the package. They are used for measuring only."""
    return load_digits("embedded")


@cache
def classifier() -> Any:
    """The pretrained classifier of digits."""
    return load("digit-classifier")


def binary() -> np.ndarray:
    """The test digits with binary pixels, drawn once."""
    return binarise(digits().x_test, rng=SEED)


def asked() -> np.ndarray:
    """The labels of the samples: every digit equally often."""
    return np.arange(SAMPLES) % 10


def of_classifier(model: Any) -> Figures:
    return {"test digits classified right, %": 100 * model.score(digits().x_test, digits().y_test)}


def of_autoencoder(model: Any) -> Figures:
    x = digits().x_test
    reconstructed = model.reconstruct(x)
    read = classifier().predict(reconstructed)
    return {
        "squared error of a test digit": squared_error(reconstructed, x),
        "reconstructions read as the right digit, %": 100 * accuracy(read, digits().y_test),
    }


def of_vae(model: Any) -> Figures:
    x = digits().x_test
    read = classifier().predict(model.reconstruct(x))
    return {
        "bound on log p(x) of a test digit with binary pixels, nats": mean(model.elbo(binary(), rng=SEED)),
        "squared error of a test digit": squared_error(model.reconstruct(x), x),
        "reconstructions read as the right digit, %": 100 * accuracy(read, digits().y_test),
    }


def of_cvae(model: Any) -> Figures:
    y = asked()
    drawn = model.inverse_transform(model.prior_sample(SAMPLES, rng=SEED, y=y), y)
    bound = model.elbo(binary(), digits().y_test, rng=SEED)
    return {"bound on log p(x) of a test digit with its label, nats": mean(bound), **requested(drawn)}


def of_cgan(model: Any) -> Figures:
    drawn = model.sample(SAMPLES, y=asked(), rng=SEED)
    return {**requested(drawn), "Fréchet distance of samples from test digits": distance(drawn)}


def of_flow(model: Any) -> Figures:
    coder, x = load("autoencoder"), digits().x_test
    codes = coder.transform(x)
    back = model.inverse_transform(model.transform(codes))
    drawn = coder.inverse_transform(model.sample(SAMPLES, rng=SEED))
    return {
        "log p of the code of a test digit, nats": mean(model.score_samples(codes)),
        "largest error of a code through the flow and back, in 0.001": 1000 * float(abs(back - codes).max()),
        "Fréchet distance of samples from test digits": distance(drawn),
    }


def of_flow_matching(model: Any) -> Figures:
    coder = load("autoencoder")
    found: Figures = {}
    for guidance in (0.0, GUIDANCE):
        codes = model.sample(SAMPLES, y=asked(), rng=SEED, guidance=guidance)
        drawn = coder.inverse_transform(codes)
        named = {**requested(drawn), "Fréchet distance of samples from test digits": distance(drawn)}
        found |= {f"{name}, guidance {guidance:g}": value for name, value in named.items()}
    return found


def of_moons(model: Any) -> Figures:
    moons = two_moons()
    drawn = model.sample(SAMPLES, rng=SEED).astype(np.float64)
    true = moons.sample(SAMPLES, rng=SEED)
    return {
        "mean log-density of samples under the true density, nats": mean(moons.log_density(drawn)),
        "the same for as many points of the true density, nats": mean(moons.log_density(true)),
    }


def requested(drawn: np.ndarray) -> Figures:
    """The share of samples that the classifier reads as the digit that was asked for."""
    return {"samples read as the digit asked for, %": 100 * accuracy(classifier().predict(drawn), asked())}


def distance(drawn: np.ndarray) -> float:
    """The Fréchet distance, on the features of the pretrained classifier."""
    metrics = SampleMetrics(classifier(), digits().x_test, digits().y_test)
    return float(metrics.measure(drawn).frechet)


def squared_error(x: np.ndarray, target: np.ndarray) -> float:
    return float(((x - target) ** 2).sum(axis=1, dtype=np.float64).mean())


def mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64))
