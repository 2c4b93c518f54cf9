"""Test two generative and two discriminative classifiers with missing pixels and with other images."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.metrics import auroc
from scratchgen.models import BernoulliNaiveBayes, GaussianDiscriminant, LogisticRegression, MLPClassifier
from scratchgen.training.schedules import OneCycle

NAIVE, GAUSSIAN, LOGISTIC, NET = "naive Bayes", "Gaussians", "logistic regression", "net"
MISSING = (0.0, 0.5, 0.75, 0.9, 0.95)


def fit_models(x: np.ndarray, y: np.ndarray, epochs: int, rng: np.random.Generator) -> dict[str, Any]:
    """Two models of P(x, y) and two of P(y | x), by name. epochs : of the net."""
    net = MLPClassifier((784, 128, 10), rng=rng)
    net.fit(x, y, epochs=epochs, lr=OneCycle(5e-3), rng=rng)
    return {
        NAIVE: BernoulliNaiveBayes(threshold=0.5).fit(x, y),
        GAUSSIAN: GaussianDiscriminant(shared=False, shrinkage=0.1).fit(x, y),
        LOGISTIC: LogisticRegression(l2=1e-2).fit(x, y, tolerance=1e-4),
        NET: net,
    }


def errors_with_missing_pixels(
    models: dict[str, Any], x: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, seed: int = 1
) -> dict[str, dict[float, float]]:
    """The error by the share of MISSING pixels, which are random and the same in all digits.

    A model of P(x, y) sums over the missing pixels exactly; a model of P(y | x) gets 0 or the mean of the
    pixel.
    """
    order = np.random.default_rng(seed).permutation(784)
    found: dict[str, dict[float, float]] = {}
    for share in MISSING:
        seen = np.ones(784, bool)
        seen[order[: round(share * 784)]] = False
        black, mean = np.where(seen, x_test, 0), np.where(seen, x_test, x.mean(axis=0))
        scores = {
            f"{NAIVE}, summed out": models[NAIVE].score(x_test, y_test, seen=seen),
            f"{NAIVE}, black": models[NAIVE].score(black, y_test),
            f"{GAUSSIAN}, integrated out": models[GAUSSIAN].score(x_test, y_test, seen=seen),
            f"{LOGISTIC}, black": models[LOGISTIC].score(black, y_test),
            f"{LOGISTIC}, mean": models[LOGISTIC].score(mean, y_test),
            f"{NET}, black": models[NET].score(black, y_test),
            f"{NET}, mean": models[NET].score(mean, y_test),
        }
        for name, score in scores.items():
            found.setdefault(name, {})[share] = 1 - score
    return found


def out_of_distribution(x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images that are not upright digits, by name, (N, 784) each."""
    shuffled = rng.permuted(x, axis=1)                          # the same intensities, in any order
    return {
        "noise": rng.random(x.shape, np.float32),
        "shuffled": shuffled,
        "inverted": 1 - x,
        "on its side": np.rot90(x.reshape(-1, 28, 28), axes=(1, 2)).reshape(len(x), -1).copy(),
        "blank": np.zeros_like(x[:1]),
    }


def score_of(model: Any, x: np.ndarray) -> np.ndarray:
    """log p(x) if the model has it, else the largest P(y | x), (N,)."""
    return model.score_samples(x) if model.likelihood else model.predict_proba(x).max(axis=1)


def separation(digits: np.ndarray, others: np.ndarray) -> float:
    """AUROC: the share of pairs of a digit and another image in which the digit has the higher score."""
    scores = np.concatenate([digits, others]).astype(np.float64)
    return auroc(scores, np.repeat([1, 0], [len(digits), len(others)]))
