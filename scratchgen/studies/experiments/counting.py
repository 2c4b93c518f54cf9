"""Estimate P(y | x) of two digits by counting binary pixels, and find when there are too many to count."""

from __future__ import annotations

import numpy as np

from scratchgen.models import BernoulliNaiveBayes

APART = 3       # smallest distance, in pixels, between two chosen pixels


def binary_pair(x: np.ndarray, y: np.ndarray, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The digits of the pair with binary pixels, (N, 784), and their labels 0 or 1, (N,)."""
    wanted = np.isin(y, pair)
    return (x[wanted] > 0.5).astype(np.float64), (y[wanted] == pair[1]).astype(np.int64)


def most_different_pixels(x: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    """The n pixels whose means differ most between the classes, no two of them close together."""
    difference = np.abs(x[y == 0].mean(axis=0) - x[y == 1].mean(axis=0))
    chosen: list[int] = []
    for d in np.argsort(-difference):
        if all(max(abs(d // 28 - e // 28), abs(d % 28 - e % 28)) >= APART for e in chosen):
            chosen.append(int(d))
    return np.array(chosen[:n])


def count(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of x, (R, k), and how often each occurs with each y, (R, 2)."""
    rows, which = np.unique(x, axis=0, return_inverse=True)
    return rows, np.stack([np.bincount(which.ravel()[y == k], minlength=len(rows)) for k in (0, 1)], axis=1)


def table_predicts(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each test example, whether its row was never counted, and the most frequent class of its row.

    For an unseen row the most frequent class of all is predicted.
    """
    rows, counts = count(x, y)
    table = {row.tobytes(): c.argmax() for row, c in zip(rows, counts, strict=True)}
    keys = [row.tobytes() for row in np.ascontiguousarray(x_test)]
    usual = np.bincount(y).argmax()
    return np.array([key not in table for key in keys]), np.array([table.get(key, usual) for key in keys])


def bayes_theorem(x: np.ndarray, y: np.ndarray) -> dict[str, dict[str, float]]:
    """P(y = 1 | x) of each row of x (N, k): counted, by Bayes' theorem from P(x | y) P(y), by naive Bayes."""
    rows, counts = count(x, y)                                  # n(x, y)
    of_y = counts.sum(axis=0)
    px_y, py = counts / of_y, of_y / of_y.sum()                 # P(x | y), P(y)
    columns = {
        "n(x, 0)": counts[:, 0],
        "n(x, 1)": counts[:, 1],
        "P(x | 0)": px_y[:, 0],
        "P(x | 1)": px_y[:, 1],
        "by Bayes": px_y[:, 1] * py[1] / (px_y * py).sum(axis=1),
        "counted": counts[:, 1] / counts.sum(axis=1),
        "naive Bayes": BernoulliNaiveBayes(smoothing=1e-9).fit(x, y).predict_proba(rows)[:, 1],
    }
    names = ("".join(map(str, row)) for row in rows.astype(int))
    return {name: {key: values[i] for key, values in columns.items()} for i, name in enumerate(names)}
