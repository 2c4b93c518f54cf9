"""Average a MADE's orderings by probability, not by logit.

Masks remove the connections through which a logit would depend on its own pixel or a later one. Gradients
show the dependencies that remain. Several orderings share one set of weights, with different masks. Their
probabilities may be averaged: the average is the likelihood of a model that chooses its ordering at random.
Their logits may not be averaged: the result is not a distribution. Its sum over all 1,024 vectors of ten
pixels is not 1, so its better "likelihood" of whole digits, the dashed line in the figure, has no meaning.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import binarise, load_digits
from scratchgen.models import MADE
from scratchgen.studies.experiments import orderings as experiment

from ..common import print_table, run, save, say, tidy, train

EVERY = ((np.arange(1024)[:, None] >> np.arange(10)) & 1).astype(np.float32)    # all 2¹⁰ vectors


def main(out: Path, *, shown: int = 240_000, orderings: int = 8, seed: int = 1) -> dict[str, Any]:
    """Find the dependencies of two small nets, and average the orderings of larger ones.

    shown : digits that each net sees
    """
    digits = load_digits()
    say(digits.source)
    rng = np.random.default_rng(seed)
    small = {order: MADE(9, (12, 10), order=order, rng=rng) for order in ("natural", "random")}
    seen, masks = {name: experiment.dependencies(model, rng) for name, model in small.items()}, {}
    for name, model in small.items():
        places = model.orders[0]
        wrong = int((seen[name] != (places[None] < places[:, None])).sum())
        masks[f"{name} order"] = {"dependencies by gradient": int(seen[name].sum()), "wrong ones": wrong}
    print_table(masks, "MADE of nine pixels, 9-12-10-9")

    x, test = strips(digits.x_train), binarise(strips(digits.x_test), rng=rng)
    tens = MADE(10, (60,), orderings=orderings, rng=rng, binarisation="dynamic")
    train(tens, x, shown=shown, lr=4e-3, rng=rng)
    strip = {
        name: {
            "sum over all 2^10": np.exp(log_p(tens, EVERY)).sum(axis=-1).mean(),
            "test": -log_p(tens, test).mean(),
        }
        for name, log_p in (
            ("each ordering alone", experiment.each_ordering),
            ("probabilities averaged", MADE.score_samples),
            ("logits averaged", experiment.averaged_logits),
        )
    }
    title = f"Ten pixels, {orderings} orderings: the sum of p(x) over all x; −log p(x) of test digits, nats"
    print_table(strip, title, {"sum over all 2^10": ".6f", "test": ".3f"})

    test = binarise(digits.x_test, rng=rng)
    whole = {}
    for order in ("natural", "random"):
        model = MADE(784, (500,), rng=rng, binarisation="dynamic", order=order)
        train(model, digits.x_train, shown=shown, lr=4e-3, rng=rng)
        whole[f"one ordering, {order}"] = -model.score_samples(test).mean()
    several = MADE(784, (500,), orderings=orderings, rng=rng, binarisation="dynamic")
    train(several, digits.x_train, shown=shown, lr=4e-3, rng=rng)
    each = experiment.each_ordering(several, test)
    curve = [-experiment.averaged(each[:o]).mean() for o in range(1, orderings + 1)]
    whole[f"{orderings} orderings, one of them"] = -each.mean()
    whole[f"{orderings} orderings, probabilities averaged"] = curve[-1]
    no_density = -experiment.averaged_logits(several, test).mean()
    whole[f"{orderings} orderings, logits averaged: no density"] = no_density
    title = f"Whole digits, 784-500-784: −log p(x) of {len(test):,} test digits, nats"
    print_table({name: {"nats": nats} for name, nats in whole.items()}, title)
    picture = save(draw(small, seen, curve, no_density), out / "ordering_and_masks.png")
    return {"masks": masks, "strip": strip, "whole": whole, "curve": curve, "figure": picture}


def strips(x: np.ndarray) -> np.ndarray:
    """Ten adjacent pixels in the middle of each digit."""
    return np.ascontiguousarray(x[:, 14 * 28 + 9 : 14 * 28 + 19])


def draw(models: dict[str, MADE], seen: dict[str, Any], curve: list[float], no_density: float) -> Figure:
    """Plot a row of masks and dependencies for each order, and below it the effect of averaging."""
    fig = plots.new_figure(8.0, title="Masks, the dependencies they leave, and averages of orderings")
    parts = fig.add_gridspec(3, 1, height_ratios=(1, 1, 1.05))
    titles = ["pixel → hidden 1", "hidden 1 → hidden 2", "hidden 2 → logit", "pixel → logit, by gradient"]
    for row, (name, model) in enumerate(models.items()):
        places = [str(p) for p in model.orders[0]]
        (axes,) = parts[row].subgridspec(1, 4).subplots(squeeze=False)
        for ax, mask, title in zip(axes, [*model.masks(0), seen[name].T], titles, strict=True):
            ax.imshow(mask, cmap="Greys", vmin=0, vmax=1.25, aspect="auto", interpolation="nearest")
            ax.set_title(title if row == 0 else "", fontsize=9.5, color=plots.TEXT)
            for axis, size in ((ax.xaxis, mask.shape[1]), (ax.yaxis, mask.shape[0])):
                axis.set_ticks(np.arange(-0.5, size), minor=True)
                axis.set_ticks(range(9) if size == 9 else [], places if size == 9 else [])
            ax.grid(which="minor", color="#dddddd", linewidth=0.6)
            ax.tick_params(which="both", length=0, labelsize=8)
        axes[0].set_ylabel(f"{name} order", fontsize=10, color=plots.TEXT)
    ax = fig.add_subplot(parts[2])
    colour, marker = plots.LINES[0]
    ax.plot(range(1, len(curve) + 1), curve, color=colour, marker=marker, label="probabilities averaged")
    ax.axhline(no_density, color=plots.LINES[1][0], linestyle="--", label="all logits averaged: no density")
    tidy(ax, "", "orderings of one net in the average", "−log p(x), nats")
    ax.legend(frameon=False, fontsize=9)
    return fig


if __name__ == "__main__":
    run(main)
