"""A VAE leaves many dimensions of its code unused.

Each dimension of the code adds its KL, in nats, to the loss. A dimension that does not lower the
reconstruction error by more than that stays at the prior, and the decoder ignores it. A dimension with a KL
above 0.1 nats counts as used. With a large beta no dimension is used: the posterior has collapsed. The last
row of digits shows that moving an unused dimension changes nothing.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models import VAE, LatentUsage, latent_usage
from scratchgen.models.vae.codes import THRESHOLD

from ..common import mosaic, print_table, run, save, say, show_image, tidy, train

CODE = 40
BETAS = (1, 4, 100)
VALUES = np.linspace(-3, 3, 13, dtype=np.float32)


def main(out: Path, *, shown: int = 90_000, seed: int = 1) -> dict[str, Any]:
    """Train a VAE for each beta, and measure which dimensions it uses.

    shown : digits that each sees, 15 epochs of 6,000
    """
    digits = load_digits()
    say(digits.source)
    usages, table = {}, {}
    for beta in BETAS:
        rng = np.random.default_rng(seed)
        model = VAE.dense((784, 300, 100, CODE), beta=beta, rng=rng)
        print(f"\nTraining a VAE 784-300-100-{CODE} with beta {beta}")
        train(model, digits.x_train, shown=shown, lr=4e-3, rng=rng, batch_size=64)
        usage = usages[beta] = latent_usage(model, digits.x_test)
        say(f"beta {beta}: {usage}")
        error = squared_error_per_example(digits.x_test, model.reconstruct(digits.x_test))
        table[f"beta {beta}"] = {
            "used dimensions": int(usage.active.sum()),
            "KL, nats": usage.kl.sum(),
            "largest KL": usage.kl.max(),
            "squared error": error.mean(),
        }
        if beta == 1:
            order = np.argsort(usage.kl)[::-1]
            three = digits.x_test[[np.where(digits.y_test == 3, error, np.inf).argmin()]]
            moved = {int(k): traverse(model, three, k) for k in (*order[:5], order[-1])}

    mean_image = np.broadcast_to(digits.x_train.mean(0), digits.x_test.shape)
    table["mean image"] = {"squared error": squared_error_per_example(digits.x_test, mean_image).mean()}
    title = f"{len(digits.x_test):,} test digits; of {CODE} dimensions, those above {THRESHOLD} nats are used"
    print_table(table, title, {"largest KL": ".2g", "squared error": ".1f"})
    changes = {
        f"dimension {k}": {"KL, nats": usages[1].kl[k], "change": np.linalg.norm(images[-1] - images[0])}
        for k, images in moved.items()
    }
    title = "beta 1: distance between the pictures when one dimension goes from -3 to 3"
    print_table(changes, title, {"KL, nats": ".3f"})
    picture = save(draw(usages, moved), out / "latent_usage.png")
    return {"table": table, "changes": changes, "usages": usages, "figure": picture}


def traverse(model: VAE, x: np.ndarray, dimension: int) -> np.ndarray:
    """Decode the code of x (1, D) with one dimension set to values from -3 to 3: (T, D)."""
    Z = np.repeat(model.transform(x), len(VALUES), axis=0)
    Z[:, dimension] = VALUES
    return model.inverse_transform(Z)


def draw(usages: dict[int, LatentUsage], moved: dict[int, np.ndarray]) -> Figure:
    """Plot the sorted KL of each dimension, and below it the effect of moving one of them."""
    fig = plots.new_figure(6.5, title="The dimensions of a code, by their KL")
    halves = fig.add_gridspec(2, 1, height_ratios=(2.7, 3.6))
    panels = halves[0].subgridspec(1, len(usages)).subplots(sharey=True)
    for ax, (beta, usage) in zip(panels, usages.items(), strict=True):
        kl, used = np.sort(usage.kl)[::-1], int(usage.active.sum())
        ax.bar(range(1, CODE + 1), kl, color=[plots.LINES[0 if k < used else 1][0] for k in range(CODE)])
        ax.axhline(THRESHOLD, color=plots.GREY, linewidth=0.8, linestyle="--")
        ax.set_yscale("log")
        ax.set_ylim(5e-4, 5)
        title = f"beta {beta}: {used} of {CODE} above {THRESHOLD} nats\n{kl.sum():.1f} in all"
        ylabel = "KL, nats (logarithmic)" if beta == BETAS[0] else ""
        tidy(ax, title, "dimensions, sorted", ylabel, grid=False)
        if used == 0:
            ax.text(CODE / 2, 0.3, "collapsed", fontsize=12, ha="center", color=plots.LINES[1][0])
            ax.text(CODE / 2, 0.01, f"the largest: {kl[0]:.0e} nats", fontsize=9.5, ha="center")
    ax = fig.add_subplot(halves[1])
    title = "beta 1: the test 3 with the least error, with one dimension of its code moved"
    show_image(ax, mosaic(np.concatenate(list(moved.values())), len(moved)), title)
    names = [f"dimension {k}: {usages[1].kl[k]:.3f} nats" for k in moved]
    ax.set_yticks([28 * i + 13.5 for i in range(len(moved))], names, fontsize=9.5)
    ax.set_xticks([28 * i + 13.5 for i in range(len(VALUES))], [f"{z:g}" for z in VALUES], fontsize=9)
    ax.tick_params(length=0)
    return fig


if __name__ == "__main__":
    run(main)
