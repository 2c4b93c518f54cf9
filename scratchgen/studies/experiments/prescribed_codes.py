"""Measure how well a generator draws what it is told: found afterwards, with labels, and without labels.

Found afterwards is a GAN whose codes are moved along fitted directions (code_directions.py). The others are
ConditionalGAN and InfoGAN. A classifier trained on real digits reads the samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import expect_labels
from scratchgen.data import Digits
from scratchgen.metrics import accuracy
from scratchgen.metrics.samples import FeatureClassifier
from scratchgen.models import DCGAN, GAN, ConditionalGAN, InfoGAN, MLPClassifier
from scratchgen.models.gan.networks import small_pixel_init
from scratchgen.studies.experiments import code_directions
from scratchgen.studies.experiments.code_directions import slants, widths
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.schedules import Cosine

NETWORK = {"channels": (16, 32), "hidden": 256}
SMALL = {"channels": (8, 16), "hidden": 128}
DENSE = (300, 300)
# Of InfoGAN. A continuous code then counts 1/(2·std²), about a tenth of a category, as in Chen et al. (2016).
STD = 2.2
BATCH, LR, DISCRIMINATOR_LR = 64, 2e-3, 2e-4
REACH = 3.0     # of the component along a digit's direction


def best_assignment(counts: np.ndarray) -> np.ndarray:
    """The one-to-one assignment of rows to columns with the largest total: counts (C, C) -> columns (C,).

    best[S] is the largest total of the first |S| rows with the columns of the set S. It is the largest of
    best[S without k] + counts[|S| − 1, k] over k in S. Sets are numbers whose bits are the columns, so there
    are 2^C of them instead of C! assignments.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not 0 < len(counts) <= 16:
        raise ValueError(f"best_assignment expected counts (C, C) with C of 1 to 16, got {counts.shape}")
    size = len(counts)
    best, last = np.full(2**size, -np.inf), np.zeros(2**size, int)
    best[0] = 0
    for columns in range(1, 2**size):
        row = columns.bit_count() - 1
        for k in range(size):
            if columns >> k & 1:
                total = best[columns ^ 1 << k] + counts[row, k]
                if total > best[columns]:
                    best[columns], last[columns] = total, k
    assigned, columns = np.zeros(size, int), 2**size - 1
    for row in reversed(range(size)):
        assigned[row] = last[columns]
        columns ^= 1 << last[columns]
    return assigned


def match(read: np.ndarray, y: np.ndarray, classes: int = 10) -> tuple[float, np.ndarray]:
    """The share of examples whose category, read (N,), is that of their label y (N,), and the assignment.

    The assignment, (classes,), has the label of each category. It is the one-to-one assignment with the
    largest share.
    """
    read, y = (expect_labels("match", labels, np.size(y), classes) for labels in (read, y))
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (read, y), 1)
    assigned = best_assignment(counts)
    return float((assigned[read] == y).mean()), assigned


def conditional(seed: int, **settings: Any) -> ConditionalGAN:
    """An untrained convolutional ConditionalGAN whose discriminator compares the label with its features."""
    return ConditionalGAN.convolutional(rng=seed, **{"code": 32, "projection": True, **NETWORK, **settings})


def dense_conditional(seed: int, **settings: Any) -> ConditionalGAN:
    """An untrained dense ConditionalGAN, to whose pixels the label is joined."""
    return ConditionalGAN.dense(
        rng=seed, **{"code": 32, "hidden": DENSE, "pixel_init": small_pixel_init, **settings}
    )


def informed(seed: int, **settings: Any) -> InfoGAN:
    """An untrained convolutional InfoGAN with ten categories and two continuous codes."""
    return InfoGAN.convolutional(rng=seed, **{"code": 44, "std": STD, **NETWORK, **settings})


def plain(seed: int, **settings: Any) -> DCGAN:
    """An untrained DCGAN."""
    return DCGAN(rng=seed, **{"code": 32, **NETWORK, **settings})


def trainer(
    model: Any,
    digits: Digits,
    epochs: int,
    seed: int,
    *callbacks: Callback,
    labels: bool = False,
    rates: tuple[float, float] = (LR, DISCRIMINATOR_LR),
) -> Trainer:
    """The training of one of these models. Both learning rates, of G and of D, fall to 0 on a cosine."""
    lr, discriminator_lr = map(Cosine, rates)
    run: Trainer = model.trainer(
        digits.x_train, digits.y_train if labels else None, epochs=epochs, batch_size=BATCH, rng=seed, lr=lr,
        discriminator_lr=discriminator_lr, callbacks=callbacks,
    )  # fmt: skip
    return run


def digit_directions(
    model: GAN, classifier: MLPClassifier, rng: np.random.Generator, draws: int = 6000
) -> np.ndarray:
    """The direction of a GAN's code along which each digit becomes more probable, (10, K)."""
    z = model.prior_sample(draws, rng=rng)
    measured = code_directions.measure(model.inverse_transform(z), classifier)
    return code_directions.directions(z, measured)[:10]


def along(directions: np.ndarray, codes: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The codes (N, K), moved to REACH along the direction of the digit that is asked for, (N,)."""
    moved = codes.copy()
    for k, direction in enumerate(directions):
        moved[asked == k] = code_directions.with_component(codes[asked == k], direction, REACH)
    return moved


def with_category(model: InfoGAN, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Codes c of n examples whose category is 0, 1, … in turn, and these categories."""
    c, asked = model.draw_codes(n, rng=rng), np.arange(n) % model.categories[0]
    c[:, 0] = asked
    return c, asked


def by_class(read: np.ndarray, asked: np.ndarray) -> dict[str, float]:
    """The share of examples that are read as asked, of all and of each class."""
    shares = {str(k): accuracy(read[asked == k], asked[asked == k]) for k in np.unique(asked)}
    return {"all": accuracy(read, asked)} | shares


def effects(
    model: InfoGAN, classifier: FeatureClassifier, n: int, rng: np.random.Generator
) -> dict[str, Any]:
    """What each code changes: slant and width in standard deviations over samples, and the class.

    A continuous code is moved from −1 to 1, all others fixed. The category is moved to the next one.
    """
    z, c = model.prior_sample(n, rng=rng), model.draw_codes(n, rng=rng)
    images = model.inverse_transform(model.with_codes(z, c))
    std = np.array([slants(images).std(), widths(images).std()])
    found = {}
    for j in range(c.shape[1]):
        ends = []
        for value in (-1.0, 1.0):
            moved = c.copy()
            moved[:, j] = value if j else c[:, 0] if value < 0 else (c[:, 0] + 1) % model.categories[0]
            ends.append(model.inverse_transform(model.with_codes(z, moved)))
        change = [(f(ends[1]) - f(ends[0])).mean() for f in (slants, widths)] / std
        same = (classifier.predict(ends[0]) == classifier.predict(ends[1])).mean()
        name = f"continuous code {j}" if j else "next category"
        found[name] = {"slant": change[0], "width": change[1], "same class": float(same)}
    return found
