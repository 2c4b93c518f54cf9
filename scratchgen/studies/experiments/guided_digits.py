"""Guide a model of digits by a classifier, and complete the upper halves of digits.

Digits have 14×14 pixels, so that a small dense network learns them in half a minute.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scratchgen.models import ClassifierGuidance, ConvClassifier, Diffusion, MLPClassifier

SIZE = 14
UPPER = np.arange(SIZE**2) < SIZE**2 // 2
Rows = dict[str, dict[str, float]]


def halved(x: np.ndarray) -> np.ndarray:
    """Digits (N, 784) with 14×14 pixels, (N, 196): each pixel is the mean of four."""
    means: np.ndarray = x.reshape(-1, SIZE, 2, SIZE, 2).mean(axis=(2, 4)).reshape(len(x), -1)
    return means.astype(np.float32)


def enlarged(x: np.ndarray) -> np.ndarray:
    """Digits (N, 196) as (N, 784), each pixel four times."""
    return x.reshape(-1, SIZE, SIZE).repeat(2, axis=1).repeat(2, axis=2).reshape(len(x), -1)


def guided(
    model: Diffusion,
    guide: ConvClassifier,
    second: MLPClassifier,
    strengths: Sequence[float],
    samples: int,
    steps: int,
    seed: int,
) -> tuple[Rows, dict[float, np.ndarray]]:
    """Samples of each digit in turn, for each strength, from the same noise.

    Returns a table with the shares of the samples that the guide and a second classifier, which had no part
    in sampling, read as the digit that was ordered, and the standard deviation of the pixels among samples of
    the same digit; and the samples (samples, 196) of each strength.
    """
    y = np.arange(samples) % 10
    rows, found = {}, {}
    for strength in strengths:
        x = model.sample(samples, rng=seed, steps=steps, guide=ClassifierGuidance(guide, y, strength))
        rows[f"strength {strength:g}"] = {
            "read by the guide": float((guide.predict(x) == y).mean()),
            "read by a second network": float((second.predict(x) == y).mean()),
            "variety": float(np.mean([x[y == k].std(axis=0).mean() for k in range(10)])),
        }
        found[strength] = x
    return rows, found


def completions(
    model: Diffusion,
    second: MLPClassifier,
    train: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    steps: int,
    repeats: int,
    rng: np.random.Generator,
) -> tuple[Rows, dict[str, np.ndarray]]:
    """Complete the upper halves of digits x (N, 196) with labels y in several ways.

    Returns a table with the share that the classifier reads as the original digit, and the squared error of
    the lower half; and the completed digits.
    """
    found = {
        "true digits": x,
        "black lower half": np.where(UPPER, x, 0).astype(np.float32),
        "mean lower half": np.where(UPPER, x, train.mean(axis=0)).astype(np.float32),
        "nearest upper half": np.where(UPPER, x, nearest(train, x)),
        "diffusion, replaced": model.complete(x, UPPER, rng=rng, steps=steps, repeats=1),
        f"diffusion, {repeats} repeats": model.complete(x, UPPER, rng=rng, steps=steps, repeats=repeats),
    }
    rows = {
        name: {
            "read as the original": float((second.predict(filled) == y).mean()),
            "squared error": float(((filled - x) ** 2).sum(axis=1).mean()),
        }
        for name, filled in found.items()
    }
    return rows, found


def nearest(train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """For each digit, the training digit whose upper half is nearest, (N, 196)."""
    a, b = x[:, UPPER], train[:, UPPER]
    distance = (b**2).sum(axis=1) - 2 * a @ b.T
    return train[distance.argmin(axis=1)]
