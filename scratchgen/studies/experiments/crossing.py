"""The errors of naive Bayes and logistic regression for different numbers of training examples.

Both have linear logits. Naive Bayes counts; logistic regression minimises the loss of its predictions. Ng and
Jordan (2001) argue that with d features, naive Bayes needs about log d examples to come close to its lowest
error, and logistic regression about d, but that the lowest error of naive Bayes is higher. So their error
curves should cross.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scratchgen.data import Digits, dequantise
from scratchgen.models import (
    MADE,
    NICE,
    BayesClassifier,
    BernoulliNaiveBayes,
    GaussianNaiveBayes,
    LogisticRegression,
)

SEED = 1
L2 = 1e-4               # keeps the weights finite where a few examples can be separated
NAIVE, LOGISTIC = "naive Bayes", "logistic regression"
DIGITS = "digits, 28×28"

Errors = list[tuple[float, float]]      # (mean, standard error) for each size


class Data(NamedTuple):
    """A data set, and the sizes at which it is measured. Without a test set, each repeat splits it again."""

    title: str
    X: np.ndarray
    y: np.ndarray
    sizes: list[int]
    repeats: int
    test: tuple[np.ndarray, np.ndarray] | None = None

    def split(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """X, y of n training examples, at least two of each class, and X, y of the test examples."""
        order = rng.permutation(len(self.y))
        half = len(order) if self.test else len(order) // 2
        first = [order[:half][self.y[order[:half]] == k][:2] for k in range(self.y.max() + 1)]
        chosen = np.concatenate(first)
        rows = np.concatenate([chosen, np.setdiff1d(order[:half], chosen)])
        rows[len(chosen) :] = rng.permutation(rows[len(chosen) :])
        X_test, y_test = self.test or (self.X[order[half:]], self.y[order[half:]])
        return self.X[rows[:n]], self.y[rows[:n]], X_test, y_test


class Curves(NamedTuple):
    """Errors of both models on the same splits, and their difference in standard errors."""

    sizes: list[int]
    naive: Errors
    logistic: Errors
    gaps: list[float]       # negative where naive Bayes has fewer errors

    @property
    def crossing(self) -> tuple[int, int] | None:
        """The last size with fewer errors of naive Bayes and the first with more, beyond 2 standard errors.

        None where one of the two never happens, or where they do not follow each other.
        """
        fewer, more = self._wins()
        return (max(fewer), min(more)) if fewer and more and max(fewer) < min(more) else None

    @property
    def verdict(self) -> str:
        """Whether the curves cross, in words."""
        fewer, more = self._wins()
        if self.crossing:
            return f"yes: they cross between {self.crossing[0]:,} and {self.crossing[1]:,} examples"
        if fewer and more:
            return f"in part: {NAIVE} has fewer errors at {fewer}, {LOGISTIC} at {more}"
        if fewer or more:
            return f"no: only {NAIVE if fewer else LOGISTIC} has fewer errors, at {fewer or more}"
        return "no: no significant difference"

    def rows(self) -> dict[int, dict[str, str | float]]:
        """The rows of a table, one for each number of training examples."""
        return {
            n: {
                NAIVE: text(naive),
                LOGISTIC: text(logistic),
                "difference in standard errors": gap,
                "fewer errors": "" if abs(gap) < 2 else NAIVE if gap < 0 else LOGISTIC,
            }
            for n, naive, logistic, gap in zip(*self, strict=True)
        }

    def _wins(self) -> tuple[list[int], list[int]]:
        pairs = list(zip(self.sizes, self.gaps, strict=True))
        return [n for n, gap in pairs if gap < -2], [n for n, gap in pairs if gap > 2]


def text(error: tuple[float, float]) -> str:
    """A mean error ± its standard error."""
    return f"{error[0]:.1%} ± {error[1]:.1%}"


def table(title: str, X: np.ndarray, y: np.ndarray, repeats: int) -> Data:
    """A table X (N, D), each feature scaled to a standard deviation of 1; fewer repeats if it is long."""
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    y, some = y.astype(np.int64), max(3, repeats // 4) if len(X) > 1000 else repeats
    return Data(title, X, y, sizes_between(2 * (y.max() + 1), len(X) // 2), some)


def binary_digits(digits: Digits, repeats: int, largest: int) -> Data:
    """MNIST with pixels 0 or 1."""
    X, X_test = ((x > 0.5).astype(np.float32) for x in (digits.x_train[:6000], digits.x_test[:1000]))
    test = X_test, digits.y_test[:1000]
    return Data(DIGITS, X, digits.y_train[:6000], sizes_between(20, largest), repeats, test)


def grey_digits(digits: Digits) -> Data:
    """The same digits with their intensities, for the density models."""
    test = digits.x_test[:1000], digits.y_test[:1000]
    return Data("", digits.x_train[:6000], digits.y_train[:6000], [], 1, test)


def sizes_between(least: int, most: int) -> list[int]:
    """From least to most, each about 1.8 times the one before."""
    steps = 1 + round(np.log(most / least) / np.log(1.8))
    return np.unique(np.geomspace(least, most, steps).round().astype(int)).tolist()


def compare(data: Data) -> Curves:
    """The mean errors of both models at each size, on the same splits."""
    curves = Curves(data.sizes, [], [], [])
    for n in data.sizes:
        rng = np.random.default_rng((SEED, n))
        errors = np.empty((data.repeats, 2))
        for row in errors:
            X, y, X_test, y_test = data.split(n, rng)
            binary = data.test is not None
            counted = BernoulliNaiveBayes() if binary else GaussianNaiveBayes(smoothing=0.01, shared=True)
            learned = LogisticRegression(X.shape[1], y.max() + 1, l2=L2, dtype=X.dtype)
            learned.fit(X, y, tolerance=1e-3, iterations=300)
            row[:] = [1 - m.score(X_test, y_test) for m in (counted.fit(X, y), learned)]
        for values, summary in zip((curves.naive, curves.logistic), summarise(errors), strict=True):
            values.append(summary)
        apart = errors[:, 0] - errors[:, 1]                     # on the same split
        curves.gaps.append(float(apart.mean() / max(apart.std(ddof=1) / len(apart) ** 0.5, 1e-12)))
    return curves


def summarise(errors: np.ndarray) -> Errors:
    """(mean, standard error) of each column, (repeats, 2)."""
    return list(zip(errors.mean(axis=0), errors.std(axis=0, ddof=1) / len(errors) ** 0.5, strict=True))


def density_curves(
    digits: Digits, sizes: list[int], updates: int, draws: int
) -> dict[str, dict[int, tuple[float, float]]]:
    """Errors of Bayes classifiers from MADE and NICE, on the first splits of `compare`, by name and size."""
    grey = grey_digits(digits)
    found: dict[str, dict[int, tuple[float, float]]] = {"MADE": {}, "NICE": {}}
    for n in [size for size in sizes if size >= 60][::2]:
        rng = np.random.default_rng((SEED, n))
        errors = np.empty((draws, 2))
        for i, row in enumerate(errors):
            row[:] = density_errors(grey.split(n, rng), updates, np.random.default_rng((SEED, n, i)))
        for by_size, summary in zip(found.values(), summarise(errors), strict=True):
            by_size[n] = summary
    return found


def density_errors(
    parts: tuple[np.ndarray, ...], updates: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Errors of a MADE that is conditioned on the class, and of a NICE for each class, on a split."""
    X, y, X_test, y_test = parts
    made = BayesClassifier(MADE(784, (200,), classes=10, rng=rng))
    binary = [(x > 0.5).astype(x.dtype) for x in (X, X_test)]
    epochs = max(1, updates * 32 // len(X))
    made.fit(binary[0], y, epochs=epochs, batch_size=32, lr=3e-3, rng=rng)
    batches = math.ceil(len(X) / 10 / 32)                       # of each class, which has a tenth of X
    epochs = max(1, updates // 2 // batches)
    nice = BayesClassifier(lambda: NICE.dense(784, (64, 64), 4, rng=rng, levels=256))
    nice.fit(X, y, epochs=epochs, batch_size=32, rng=rng)
    right = made.score(binary[1], y_test), nice.score(dequantise(X_test, rng=rng), y_test)
    return 1 - right[0], 1 - right[1]
