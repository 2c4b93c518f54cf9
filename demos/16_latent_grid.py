"""The plane behind the digits: a grid of decoded codes, and paths from digit to digit.

A VAE with a code of two numbers is a map of all that it can draw. The grid's lines lie at equal steps of
the Normal's distribution function, so each cell is as probable as any other.

On a straight line between two codes the picture changes its shape; where pixels are blended, one digit
fades out while the other fades in, and what lies between them is no digit. How sure a classifier is along
both paths is measured on many pairs. Both paths have the same ends: what the VAE gives back of two digits.
The classifier is less sure in the middle of both, but it has less doubt about the decoded codes.
"""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.layers import LeakyReLU
from scratchgen.models import VAE, MLPClassifier
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 64
SEED = 1
SIDE = 20       # pictures on each side of the grid
STEPS = 9       # pictures on a path, ends included
PAIRS = 300
SHOWN = ((0, 6), (1, 9), (3, 5), (4, 7))


def main(out: Path, shown: int = 240_000) -> None:
    """Train, print the table, draw.

    shown : how many digits the VAE sees, 40 epochs of 6,000; the classifier sees a quarter of them
    """
    digits = load_digits()
    print(digits.source)
    x, y = digits.x_train, digits.y_train
    x_test, y_test = digits.x_test[:1000], digits.y_test[:1000]
    epochs, read = (max(1, round(some / len(x))) for some in (shown, shown // 4))
    print("\nVAE 784-300-100-2 and back")
    rng = np.random.default_rng(SEED)
    model = VAE.dense((784, 300, 100, 2), rng=rng, activation=LeakyReLU)
    print(model.data_note)
    lr = OneCycle(5e-3, epochs * -(-len(x) // BATCH))
    model.fit(x, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])
    reader = MLPClassifier((784, 128, 10), rng=rng)
    reader.fit(x, y, epochs=read, lr=OneCycle(5e-3, read * -(-len(x) // 128)), rng=rng)

    quantiles = [NormalDist().inv_cdf((i + 0.5) / SIDE) for i in range(SIDE)]
    Z = np.array([(a, b) for b in reversed(quantiles) for a in quantiles], np.float32)
    grid = model.inverse_transform(Z)

    codes, blends = [], []
    for _ in range(PAIRS):
        a, b = rng.choice(len(x_test), 2, replace=False)
        while y_test[a] == y_test[b]:
            b = rng.integers(len(x_test))
        codes.append(model.interpolate(x_test[a], x_test[b], steps=STEPS))
        blends.append(blend(codes[-1]))
    sure = {}
    for name, paths in (("codes", codes), ("pixels", blends)):
        pictures = np.concatenate(paths)
        sure[name] = reader.predict_proba(pictures).max(axis=1).reshape(PAIRS, STEPS).mean(axis=0)

    print("\nThe largest of the classifier's ten probabilities,")
    print(f"of the test digits themselves: {reader.predict_proba(x_test).max(axis=1).mean():.1%}")
    print(f"on the way between two digits of different classes, mean of {PAIRS} pairs of test digits")
    print("share of the way             " + "".join(f"{t:7.3f}" for t in np.linspace(0, 1, STEPS)))
    for name in ("codes", "pixels"):
        print(f"{name + ': largest probability':29}" + "".join(f"{s:7.1%}" for s in sure[name]))
    read_as = reader.predict_proba(model.reconstruct(x_test))    # for the picture: the digit that reads best
    ends = [[np.argmax(np.where(y_test == k, read_as[:, k], -1)) for k in pair] for pair in SHOWN]
    ways = np.stack([model.interpolate(x_test[a], x_test[b], steps=STEPS) for a, b in ends])
    picture = plots.save(draw(grid, ways, sure), out / "latent_grid.png")
    print(f"\n{picture} is drawn")


def blend(path: np.ndarray) -> np.ndarray:
    """The same ends, (T, D), and between them one picture laid over the other."""
    t = np.linspace(0, 1, len(path), dtype=path.dtype)[:, None]
    return (1 - t) * path[0] + t * path[-1]


def draw(grid: np.ndarray, paths: np.ndarray, sure: dict[str, np.ndarray]) -> Figure:
    """The grid; beside it the paths, and what was measured on many of them."""
    fig = plots.new_figure(5.6, title="A code of two numbers, decoded; and the way from one digit to another")
    halves = fig.add_gridspec(1, 2, width_ratios=(5, 3.6))
    ax = fig.add_subplot(halves[0])
    ax.imshow(mosaic(grid, SIDE), cmap="gray", vmin=0, vmax=1)
    ax.set_title("z at equal steps of probability of N(0, 1)", fontsize=10, color=plots.TEXT)
    quantiles = (0.1, 0.25, 0.5, 0.75, 0.9)
    labels = [f"{NormalDist().inv_cdf(q):.2f}" for q in quantiles]
    ax.set_xticks([28 * SIDE * q for q in quantiles], labels, fontsize=8.5)
    ax.set_yticks([28 * SIDE * (1 - q) for q in quantiles], labels, fontsize=8.5)

    codes, pixels, curve = halves[1].subgridspec(3, 1).subplots(squeeze=False)[:, 0]
    blends = np.stack([blend(path) for path in paths])
    for axis, pictures, what in ((codes, paths, "codes"), (pixels, blends, "pixels")):
        axis.imshow(mosaic(pictures, len(paths)), cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"between {what}", fontsize=10, color=plots.TEXT)
        axis.set_axis_off()
    t = np.linspace(0, 1, STEPS)
    for (colour, marker), (what, values) in zip(plots.LINES, sure.items(), strict=False):
        curve.plot(t, 100 * values, color=colour, marker=marker, markersize=4, label=f"between {what}")
    curve.set_title("classifier's largest probability, %", fontsize=10, color=plots.TEXT)
    curve.set_ylim(0, 100)
    curve.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    curve.spines[["top", "right"]].set_visible(False)
    curve.tick_params(labelsize=8.5)
    curve.set_xlabel(f"share of the way, mean of {PAIRS} pairs", fontsize=9.5, color=plots.TEXT)
    curve.legend(frameon=False, fontsize=9, loc="lower center")
    return fig


def mosaic(pictures: np.ndarray, rows: int) -> np.ndarray:
    """Rows of digits as one picture."""
    return pictures.reshape(rows, -1, 28, 28).swapaxes(1, 2).reshape(rows * 28, -1)


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
