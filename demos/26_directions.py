"""Which directions of z hold what: digit, slant and stroke width, looked for after a GAN has been trained.

No axis of a Normal code means anything (turn z, and nothing changes), so directions are fitted: draw many z,
measure each picture, and regress the measurement on z. What a direction is worth is the correlation of z·u
with the measurement on fresh draws; directions taken at random show what chance gives.

    digit   the classifier's log-probability of each class
    slant   columns that the writing leans to the right, a row of height: −cov(column, row) / var(row)
    width   of the stroke in pixels: ink over half of its outline, Σ x / ½·Σ |slope of x|

A direction that says slant may say the digit as well: 1s lean more than 9s do. So codes are moved along each
direction, from −2 to 2, and it is counted how often the same class is read at both ends; then the same for
the part of the direction that is orthogonal to all ten digits' directions and to the other measure's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import DCGAN, GAN, MLPClassifier
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import Cosine, OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
BATCH = 64
READ = 60_000       # digits that the classifier sees
MOVED = 1000        # codes that are moved
REACH = 2.0         # from −REACH to REACH
RANDOM = 100        # directions taken at random
COLUMNS = 11


def main(out: Path, shown: int = 120_000, draws: int = 9_000) -> None:
    """Train, print the tables, draw.

    shown : how many real digits the GAN sees, 20 epochs of 6,000
    draws : how many codes are drawn, two thirds for the fit and one for the correlation
    """
    digits = load_digits()
    print(digits.source)
    x, y = digits.x_train, digits.y_train
    rng = np.random.default_rng(SEED)
    classifier = MLPClassifier((784, 128, 10), rng=rng)
    epochs = max(1, round(READ / len(x)))
    classifier.fit(x, y, epochs=epochs, lr=OneCycle(5e-3, epochs * -(-len(x) // 128)), rng=rng)

    print("\nDCGAN with a code of 32 numbers")
    rng = np.random.default_rng(SEED)
    model = DCGAN(32, (16, 32), rng=rng)
    epochs = max(1, round(shown / len(x)))
    steps = epochs * (len(x) // BATCH)
    model.fit(
        x,
        epochs=epochs,
        batch_size=BATCH,
        lr=Cosine(1e-3, steps),
        discriminator_lr=Cosine(5e-4, steps),
        rng=rng,
        callbacks=[ProgressBar()],
    )

    z = model.prior_sample(draws, rng=rng)
    measured = measure(model.inverse_transform(z), classifier)      # (draws, 12): ten digits, slant, width
    fit = 2 * draws // 3
    found = directions(z[:fit], measured[:fit])                     # (12, K)
    fresh, held_out = z[fit:], measured[fit:]
    r = correlation(fresh @ found.T, held_out)
    chance = unit(rng.standard_normal((RANDOM, model.code)))
    by_chance = np.abs(
        [correlation(np.repeat(fresh @ u[:, None], 12, axis=1), held_out) for u in chance]
    )

    print(f"\ncorrelation with z·u on {len(fresh):,} fresh draws; {RANDOM} random directions: mean, largest")
    for i, name in enumerate([f"digit {k}" for k in range(10)] + ["slant", "width"]):
        print(f"{name:10}{r[i]:7.2f}{by_chance[:, i].mean():12.2f}{by_chance[:, i].max():7.2f}")

    slant, width = found[10], found[11]
    ways = {
        "slant": [slant],
        "slant, no digit": [without(slant, [*found[:10], width])],
        "width": [width],
        "width, no digit": [without(width, [*found[:10], slant])],
        "a digit": list(found[:10]),
        "at random": list(chance[:10]),
    }
    print(f"\nmoved from −{REACH:g} to {REACH:g} along a direction; changes in standard deviations of draws")
    print("direction            slant    width    same class   (sizes; of ten directions, their mean)")
    z = model.prior_sample(MOVED, rng=rng)
    spread = measured.std(axis=0)[10:]
    for name, along in ways.items():
        effects = np.mean([np.abs(moved(model, classifier, z, u, spread)) for u in along], axis=0)
        print(f"{name:16}{effects[0]:10.2f}{effects[1]:9.2f}{effects[2]:13.1%}")
    clear = z[classifier.predict_proba(model.inverse_transform(z)).max(axis=1) > 0.99]
    walks = {
        f"slant\nr = {r[10]:.2f}": slant,
        "slant,\nno digit": ways["slant, no digit"][0],
        f"width\nr = {r[11]:.2f}": width,
        f"digit 7\nr = {r[7]:.2f}": found[7],
        "at random": chance[0],
    }
    codes = clear if len(clear) > 1 else z
    picture = plots.save(draw(model, codes[:2], walks), out / "directions.png")
    print(f"\n{picture} is drawn")


def measure(pictures: np.ndarray, classifier: MLPClassifier) -> np.ndarray:
    """Log-probabilities of the ten digits, slant and width: (N, 784) -> (N, 12)."""
    p = classifier.predict_proba(pictures)
    return np.column_stack([np.log(p + 1e-6), slants(pictures), widths(pictures)])


def slants(pictures: np.ndarray) -> np.ndarray:
    """How far writing leans to the right, in columns a row, (N, 784) -> (N,)."""
    ink = pictures.reshape(-1, 28, 28) / pictures.sum(axis=1)[:, None, None]
    place = np.arange(28.0)
    row, column = ink.sum(axis=2) @ place, ink.sum(axis=1) @ place
    covariance = np.einsum("nij,i,j->n", ink, place, place) - row * column
    return -covariance / (ink.sum(axis=2) @ place**2 - row**2)     # rows count downwards


def widths(pictures: np.ndarray) -> np.ndarray:
    """Mean width of the strokes in pixels, (N, 784) -> (N,): a stroke of length L has an outline of 2·L."""
    ink = np.pad(pictures.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))
    down, right = np.diff(ink, axis=1)[:, :, :-1], np.diff(ink, axis=2)[:, :-1]
    outline = np.sqrt(down**2 + right**2).sum(axis=(1, 2))
    return ink.sum(axis=(1, 2)) / (outline / 2)


def directions(z: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The direction along which each measurement rises, by least squares: (N, K), (N, M) -> (M, K)."""
    slopes, *_ = np.linalg.lstsq(z - z.mean(axis=0), measured - measured.mean(axis=0), rcond=None)
    return unit(slopes.T)


def without(u: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The part of u that is orthogonal to all others, (K,)."""
    v, values, _ = np.linalg.svd(np.stack(others).T, full_matrices=False)
    v = v[:, values > 1e-6 * values[0]]
    return unit(u - v @ (v.T @ u))


def unit(u: np.ndarray) -> np.ndarray:
    return u / np.linalg.norm(u, axis=-1, keepdims=True)


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each column of a with that of b: (N, M), (N, M) -> (M,)."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))


def place(z: np.ndarray, u: np.ndarray, at: float) -> np.ndarray:
    """z with its part along u replaced by `at`, (N, K)."""
    return (z + (at - z @ u)[:, None] * u).astype(z.dtype)


def moved(
    model: GAN, classifier: MLPClassifier, z: np.ndarray, u: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """From one end of a direction to the other: mean change of slant and width, share of the same class."""
    low, high = (model.inverse_transform(place(z, u, at)) for at in (-REACH, REACH))
    change = [(f(high) - f(low)).mean() for f in (slants, widths)] / spread
    return np.array([*change, (classifier.predict(low) == classifier.predict(high)).mean()])


def draw(model: GAN, codes: np.ndarray, walks: dict[str, np.ndarray]) -> Figure:
    """Walks along some directions, each through the same codes."""
    rows = []
    for label, u in walks.items():
        for code in codes:
            path = [place(code[None], u, at) for at in np.linspace(-3, 3, COLUMNS)]
            rows.append(plots.Row(label, model.inverse_transform(np.concatenate(path))))
    return plots.image_grid(
        rows,
        title="Directions of z, found after training",
        note="from −3 to 3 along a direction, through the same two codes; r: correlation on fresh draws",
        breaks=range(len(codes), len(rows), len(codes)),
    )


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
