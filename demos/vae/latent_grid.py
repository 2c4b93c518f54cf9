"""Interpolated codes give digits, blended pixels do not.

The plane of a two-number code shows all that a VAE can generate. The cells of the grid are at equal steps of
the Normal's distribution function, so all cells are equally probable.

On a straight line between two codes, the shape of the digit changes. Between the pixels of two images, one
digit fades out while the other fades in. The largest probability of a classifier is measured along both
paths, on many pairs. The curves show that it falls in the middle of both, but less for decoded codes.
"""

from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.layers import LeakyReLU
from scratchgen.models import VAE

from .. import common
from ..common import (
    digit_classifier,
    mosaic,
    plot_lines,
    print_table,
    run,
    save,
    say,
    show_image,
    tidy,
    train,
)

SIDE = 20       # pictures on each side of the grid
STEPS = 9       # pictures on a path, ends included
SHOWN = ((0, 6), (1, 9), (3, 5), (4, 7))    # digits at the ends of the paths in the figure


def main(out: Path, *, shown: int = 240_000, pairs: int = 300, seed: int = 1) -> dict[str, Any]:
    """Train a VAE, and measure how sure a classifier is on both paths.

    shown : digits that the VAE sees, 40 epochs of 6,000; the classifier sees a quarter of them
    pairs : of test digits of different classes
    """
    digits = load_digits()
    say(digits.source)
    x_test, y_test = digits.x_test[:1000], digits.y_test[:1000]
    rng = np.random.default_rng(seed)
    model = VAE.dense((784, 300, 100, 2), rng=rng, activation=LeakyReLU)
    say(f"\nTraining a VAE 784-300-100-2; {model.data_note}")
    train(model, digits.x_train, shown=shown, lr=5e-3, rng=rng, batch_size=64)
    classifier = digit_classifier(digits.x_train, digits.y_train, rng, shown // 4)

    quantiles = [NormalDist().inv_cdf((i + 0.5) / SIDE) for i in range(SIDE)]
    Z = np.array([(a, b) for b in reversed(quantiles) for a in quantiles], np.float32)
    codes = []
    for _ in range(pairs):
        a, b = rng.choice(len(x_test), 2, replace=False)
        while y_test[a] == y_test[b]:
            b = rng.integers(len(x_test))
        codes.append(model.interpolate(x_test[a], x_test[b], steps=STEPS))
    sure = {}
    for name, paths in (("codes", codes), ("pixels", [blend(path) for path in codes])):
        largest = classifier.predict_proba(np.concatenate(paths)).max(axis=1)
        sure[name] = largest.reshape(pairs, STEPS).mean(axis=0)

    test = float(classifier.predict_proba(x_test).max(axis=1).mean())
    title = (
        f"The classifier's largest probability, by the share of the way, mean of {pairs} pairs; "
        f"for the test digits themselves it is {test:.1%}"
    )
    shares = [f"{t:.3g}" for t in np.linspace(0, 1, STEPS)]
    table = {f"between {name}": dict(zip(shares, values, strict=True)) for name, values in sure.items()}
    print_table(table, title, dict.fromkeys(shares, ".0%"))

    read = classifier.predict_proba(model.reconstruct(x_test))  # the figure shows the digits that read best
    ends = [[np.argmax(np.where(y_test == k, read[:, k], -1)) for k in pair] for pair in SHOWN]
    paths = np.stack([model.interpolate(x_test[a], x_test[b], steps=STEPS) for a, b in ends])
    picture = save(draw(model.inverse_transform(Z), paths, sure, pairs), out / "latent_grid.png")
    found = {"sure": sure, "sure of test digits": test, "figure": picture}
    if common.animated():
        walks = [model.interpolate(x_test[a], x_test[b], steps=common.FRAMES) for a, b in ends]
        found["animation"] = common.film_of_images(out / "latent_grid.gif", {
            f"{a} to {b}": walk for (a, b), walk in zip(SHOWN, walks, strict=True)
        })  # fmt: skip
    return found


def blend(path: np.ndarray) -> np.ndarray:
    """Replace the images of a path (T, D) between its ends by weighted means of the ends' pixels."""
    t = np.linspace(0, 1, len(path), dtype=path.dtype)[:, None]
    return (1 - t) * path[0] + t * path[-1]


def draw(grid: np.ndarray, paths: np.ndarray, sure: dict[str, np.ndarray], pairs: int) -> Figure:
    """Plot the grid, some paths, and the classifier's probabilities on many paths."""
    fig = plots.new_figure(5.6, title="The plane of a two-number code, decoded, and paths between digits")
    halves = fig.add_gridspec(1, 2, width_ratios=(5, 3.6))
    ax = fig.add_subplot(halves[0])
    show_image(ax, mosaic(grid, SIDE), "z at equal steps of probability of N(0, 1)")
    quantiles = (0.1, 0.25, 0.5, 0.75, 0.9)
    labels = [f"{NormalDist().inv_cdf(q):.2f}" for q in quantiles]
    ax.set_xticks([28 * SIDE * q for q in quantiles], labels, fontsize=8.5)
    ax.set_yticks([28 * SIDE * (1 - q) for q in quantiles], labels, fontsize=8.5)
    codes, pixels, curve = halves[1].subgridspec(3, 1).subplots(squeeze=False)[:, 0]
    show_image(codes, mosaic(paths, len(paths)), "between codes")
    show_image(pixels, mosaic(np.stack([blend(path) for path in paths]), len(paths)), "between pixels")
    t = np.linspace(0, 1, STEPS)
    plot_lines(curve, {f"between {name}": (t, 100 * values) for name, values in sure.items()}, markersize=4)
    tidy(curve, "classifier's largest probability, %", f"share of the way, mean of {pairs} pairs")
    curve.set_ylim(0, 100)
    curve.legend(frameon=False, fontsize=9, loc="lower center")
    return fig


if __name__ == "__main__":
    run(main)
