"""How the reproductions measure samples of digits: with a trained classifier, and with Parzen windows."""

from __future__ import annotations

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics import choose_sigma, parzen_log_likelihood
from scratchgen.metrics.samples import SampleMetrics, SampleQuality
from scratchgen.studies.digit_classifier import trained_digit_classifier

SAMPLES, SEED = 10_000, 0
HELD_OUT = 1000     # the last training digits, which are used to choose sigma


def split(digits: Digits) -> tuple[np.ndarray, np.ndarray]:
    """The training digits without the last HELD_OUT, and those."""
    return digits.x_train[:-HELD_OUT], digits.x_train[-HELD_OUT:]


def sample_metrics(digits: Digits) -> SampleMetrics:
    """Sample metrics against the test digits, with the trained digit classifier."""
    return SampleMetrics(trained_digit_classifier(digits), digits.x_test, digits.y_test)


def training_digits(digits: Digits) -> np.ndarray:
    """SAMPLES training digits, which show what the measures give for true digits."""
    digits_of_any_class: np.ndarray = np.random.default_rng(SEED).permutation(digits.x_train)[:SAMPLES]
    return digits_of_any_class


def share_figures(quality: SampleQuality, metrics: SampleMetrics) -> dict[str, float]:
    """The largest error of the samples' digit shares, and the accuracy of the digit classifier."""
    return {
        "largest difference of a digit's share from the test set's, in points": round(quality.worst_share, 2),
        "the classifier's own accuracy on test digits, %": round(100 * metrics.accuracy, 2),
    }


def share_details(quality: SampleQuality) -> dict[str, list[float]]:
    """The shares of the digits from 0 to 9 in per cent, with standard errors, and those of the test set."""
    rows = {
        "samples": quality.shares.share,
        "standard error": quality.shares.error,
        "test digits": quality.expected,
    }
    return {name: np.round(100 * values, 2).tolist() for name, values in rows.items()}


def parzen(samples: np.ndarray, held_out: np.ndarray, test: np.ndarray) -> tuple[float, float, float]:
    """(mean log-likelihood of the test digits, its standard error, sigma).

    A Normal kernel on each sample, whose sigma is chosen on held-out digits.
    """
    sigma = choose_sigma(held_out, samples)
    nats = parzen_log_likelihood(test, samples, sigma)
    return float(nats.mean()), float(nats.std() / np.sqrt(len(nats))), sigma
