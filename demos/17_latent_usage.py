"""Which numbers of a code are used: the KL of each, and what the decoder does when one of them is moved.

A VAE decides by itself how much of its code it uses. Each dimension costs its KL, in nats; one that does
not pay for itself is left to the prior, and the decoder no longer looks at it. What carries more than
0.1 nats counts as used. With a large beta none of them does: the code has collapsed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import VAE, LatentUsage, latent_usage
from scratchgen.models.vae.codes import THRESHOLD
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CODE = 40
BETAS = (1, 4, 100)
BATCH = 64
SEED = 1
REACH = np.linspace(-3, 3, 13, dtype=np.float32)


def main(out: Path, shown: int = 90_000) -> None:
    """Train one VAE for each beta, print what they use, draw. `shown`: digits that each sees, 15 × 6,000."""
    digits = load_digits()
    print(digits.source)
    mean_image = np.broadcast_to(digits.x_train.mean(0), digits.x_test.shape)
    away = squared_error_per_example(digits.x_test, mean_image).mean()
    epochs = max(1, round(shown / len(digits.x_train)))
    usages, table = {}, []
    for beta in BETAS:
        rng = np.random.default_rng(SEED)
        model = VAE.dense((784, 300, 100, CODE), beta=beta, rng=rng)
        print(f"\nVAE 784-300-100-{CODE}, beta {beta}; {model.data_note}")
        lr = OneCycle(4e-3, epochs * -(-len(digits.x_train) // BATCH))
        model.fit(digits.x_train, epochs=epochs, batch_size=BATCH, lr=lr, rng=rng, callbacks=[ProgressBar()])
        usage = usages[beta] = latent_usage(model, digits.x_test)
        print(f"beta {beta}: {usage}")
        error = squared_error_per_example(digits.x_test, model.reconstruct(digits.x_test))
        table.append((beta, int(usage.active.sum()), usage.kl.sum(), usage.kl.max(), error.mean()))
        if beta == 1:
            order = np.argsort(usage.kl)[::-1]
            three = digits.x_test[[np.where(digits.y_test == 3, error, np.inf).argmin()]]
            moved = {int(k): walk(model, three, k) for k in (*order[:5], order[-1])}

    print(f"\n{len(digits.x_test):,} test digits; the mean image in place of each has an error of {away:.1f}")
    print(f"beta    above {THRESHOLD} nats    KL, nats    largest   squared error")
    for beta, used, kl, largest, error in table:
        print(f"{beta:4}{used:13} of {CODE}{kl:12.2f}{largest:11.2g}{error:16.1f}")
    print("\nbeta 1: distance between the pictures at -3 and at 3 when one number is moved")
    for k, pictures in moved.items():
        change = np.linalg.norm(pictures[-1] - pictures[0])
        print(f"dimension {k:2}: KL {usages[1].kl[k]:6.3f} nats, change {change:6.2f}")
    picture = plots.save(draw(usages, moved), out / "latent_usage.png")
    print(f"\n{picture} is drawn")


def walk(model: VAE, x: np.ndarray, dimension: int) -> np.ndarray:
    """The digit x, (1, D), decoded with one number of its code going from -3 to 3: (T, D)."""
    Z = np.repeat(model.transform(x), len(REACH), axis=0)
    Z[:, dimension] = REACH
    return model.inverse_transform(Z)


def draw(usages: dict[int, LatentUsage], moved: dict[int, np.ndarray]) -> Figure:
    """The KL of each dimension, sorted; below it what moving one of them does."""
    fig = plots.new_figure(6.5, title="Each number of the code, by what it says about the digit")
    halves = fig.add_gridspec(2, 1, height_ratios=(2.7, 3.6))
    panels = halves[0].subgridspec(1, len(usages)).subplots(sharey=True)
    for ax, (beta, usage) in zip(panels, usages.items(), strict=True):
        kl, used = np.sort(usage.kl)[::-1], int(usage.active.sum())
        ax.bar(range(1, CODE + 1), kl, color=[plots.LINES[0 if k < used else 1][0] for k in range(CODE)])
        ax.axhline(THRESHOLD, color=plots.GREY, linewidth=0.8, linestyle="--")
        ax.set_yscale("log")
        ax.set_ylim(5e-4, 5)
        said = f"beta {beta}: {used} of {CODE} above {THRESHOLD} nats\n{kl.sum():.1f} in all"
        ax.set_title(said, fontsize=10)
        ax.set_xlabel("dimensions, sorted", fontsize=10, color=plots.TEXT)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
        if beta == BETAS[0]:
            ax.set_ylabel("KL, nats (logarithmic)", fontsize=10, color=plots.TEXT)
        if used == 0:
            ax.text(CODE / 2, 0.3, "collapsed", fontsize=12, ha="center", color=plots.LINES[1][0])
            ax.text(CODE / 2, 0.01, f"the largest: {kl[0]:.0e} nats", fontsize=9.5, ha="center")
    ax = fig.add_subplot(halves[1])
    pictures = np.stack(list(moved.values())).reshape(len(moved), -1, 28, 28)
    ax.imshow(pictures.swapaxes(1, 2).reshape(len(moved) * 28, -1), cmap="gray", vmin=0, vmax=1)
    names = [f"dimension {k}: {usages[1].kl[k]:.3f} nats" for k in moved]
    ax.set_yticks([28 * i + 13.5 for i in range(len(moved))], names, fontsize=9.5)
    ax.set_xticks([28 * i + 13.5 for i in range(len(REACH))], [f"{z:g}" for z in REACH], fontsize=9)
    ax.set_title("beta 1: the test 3 that comes back best, with one number of its code moved", fontsize=10)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
