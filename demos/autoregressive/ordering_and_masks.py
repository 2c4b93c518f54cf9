"""Ordering and masks: what a mask leaves, what depends on what then, and how several orderings are averaged.

Masks take away the connections through which a logit would see its own pixel or a later one; what comes of it
is read off by gradient. One set of weights serves several orderings, by other masks. Their probabilities may
be averaged: that is the likelihood of a model that draws its ordering by lot. Their logits may not: on
vectors of ten pixels, where all 1,024 can be summed, averaged logits add up to something else than 1, and on
whole digits they seem to gain nats that no code and no sample could have.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.data import binarise, load_digits
from scratchgen.distributions import Bernoulli
from scratchgen.models import MADE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
ORDERINGS = 8
EVERY = ((np.arange(1024)[:, None] >> np.arange(10)) & 1).astype(np.float32)    # all 2¹⁰ vectors


def main(out: Path, shown: int = 240_000) -> None:
    """Train, print the tables, draw. shown : how many digits each net sees."""
    digits = load_digits()
    print(digits.source)
    rng = np.random.default_rng(SEED)
    forms = {order: MADE(9, (12, 10), order=order, rng=rng) for order in ("natural", "random")}
    seen = {name: dependencies(model, rng) for name, model in forms.items()}
    for name, model in forms.items():
        places = model.orders[0]
        wrong = (seen[name] != (places[None] < places[:, None])).sum()
        print(f"{name} order {places}: {seen[name].sum()} dependencies by gradient, {wrong} of them wrong")

    x, test = strips(digits.x_train), binarise(strips(digits.x_test), rng=rng)
    tens = MADE(10, (60,), orderings=ORDERINGS, rng=rng, binarisation="dynamic")
    train(tens, x, shown, rng)
    sums = {
        "each ordering alone": np.exp(alone(tens, EVERY)).sum(axis=1).mean(),
        "probabilities averaged": np.exp(tens.score_samples(EVERY)).sum(),
        "logits averaged": np.exp(of_averaged_logits(tens, EVERY)).sum(),
    }
    print(f"\nTen pixels of a digit, {ORDERINGS} orderings        sum over all 2^10    −log of it, test")
    figures = {
        "each ordering alone": -alone(tens, test).mean(),
        "probabilities averaged": -tens.score_samples(test).mean(),
        "logits averaged": -of_averaged_logits(tens, test).mean(),
    }
    for name, total in sums.items():
        print(f"{name:40} {total:16.6f} {figures[name]:17.3f}")

    print(f"\nWhole digits, 784-500-784: −log p(x) of {len(digits.x_test):,} test digits, nats")
    test = binarise(digits.x_test, rng=rng)
    for order in ("natural", "random"):
        model = MADE(784, (500,), rng=rng, binarisation="dynamic", order=order)
        train(model, digits.x_train, shown, rng)
        print(f"{'one ordering, ' + order:40} {-model.score_samples(test).mean():16.2f}")
    several = MADE(784, (500,), orderings=ORDERINGS, rng=rng, binarisation="dynamic")
    train(several, digits.x_train, shown, rng)
    each = alone(several, test)
    curve = [-averaged(each[:o]).mean() for o in range(1, ORDERINGS + 1)]
    print(f"{f'{ORDERINGS} orderings, one of them':40} {-each.mean():16.2f}")
    print(f"{f'{ORDERINGS} orderings, probabilities averaged':40} {curve[-1]:16.2f}")
    no_density = -of_averaged_logits(several, test).mean()
    print(f"{f'{ORDERINGS} orderings, logits averaged: no density':40} {no_density:16.2f}")
    picture = plots.save(draw(forms, seen, curve, no_density), out / "ordering_and_masks.png")
    print(f"\n{picture} is drawn")


def strips(x: np.ndarray) -> np.ndarray:
    """Ten pixels of each digit, side by side in the middle."""
    return np.ascontiguousarray(x[:, 14 * 28 + 9 : 14 * 28 + 19])


def train(model: MADE, x: np.ndarray, shown: int, rng: np.random.Generator) -> None:
    epochs = max(1, round(shown / len(x)))
    lr = OneCycle(4e-3, epochs * -(-len(x) // 128))
    model.fit(x, epochs=epochs, batch_size=128, lr=lr, rng=rng, callbacks=[ProgressBar()])


def dependencies(model: MADE, rng: np.random.Generator) -> np.ndarray:
    """Whether logit d has a gradient with respect to pixel e at any of 300 inputs, (D, D)."""
    size = model.features
    found, upstream = np.zeros((size, size), bool), np.eye(size, dtype=np.float32)
    for x in rng.standard_normal((300, size), np.float32):
        _, cache = model.logits(np.tile(x, (size, 1)))
        found |= model.net.backward(upstream, cache) != 0
    return found


def alone(model: MADE, x: np.ndarray) -> np.ndarray:
    """log p(x) under each ordering by itself, (O, N)."""
    logits = (model.logits(x, ordering=o)[0] for o in range(len(model.orders)))
    return np.array([Bernoulli.log_prob(x, some).sum(axis=1, dtype=np.float64) for some in logits])


def averaged(log_p: np.ndarray) -> np.ndarray:
    """The log of the mean probability, (O, N) -> (N,)."""
    return np.logaddexp.reduce(log_p, axis=0) - np.log(len(log_p))


def of_averaged_logits(model: MADE, x: np.ndarray) -> np.ndarray:
    """What one gets from the mean of the orderings' logits: no log-density, (N,)."""
    mean = sum(model.logits(x, ordering=o)[0] for o in range(len(model.orders))) / len(model.orders)
    return Bernoulli.log_prob(x, mean).sum(axis=1, dtype=np.float64)


def draw(forms: dict[str, MADE], seen: dict[str, Any], curve: list[float], no_density: float) -> Figure:
    """A row for each form: its masks and what depends on what; below, what averaging brings."""
    fig = plots.new_figure(8.0, title="Masks, what they leave, and several orderings averaged")
    parts = fig.add_gridspec(3, 1, height_ratios=(1, 1, 1.05))
    for row, (name, model) in enumerate(forms.items()):
        pictures = [*model.masks(0), seen[name].T]
        titles = ["pixel → hidden 1", "hidden 1 → hidden 2", "hidden 2 → logit", "pixel → logit, by gradient"]
        (axes,) = parts[row].subgridspec(1, 4).subplots(squeeze=False)
        for ax, mask, title in zip(axes, pictures, titles, strict=True):
            ax.imshow(mask, cmap="Greys", vmin=0, vmax=1.25, aspect="auto", interpolation="nearest")
            ax.set_title(title if row == 0 else "", fontsize=9.5, color=plots.TEXT)
            ax.set_xticks(np.arange(-0.5, mask.shape[1]), minor=True)
            ax.set_yticks(np.arange(-0.5, mask.shape[0]), minor=True)
            ax.grid(which="minor", color="#dddddd", linewidth=0.6)
            ax.tick_params(which="both", length=0, labelsize=8)
            ax.set_xticks([])
            ax.set_yticks([])
        places = model.orders[0]
        axes[0].set_ylabel(f"{name} order", fontsize=10, color=plots.TEXT)
        axes[0].set_yticks(range(9), [str(p) for p in places])
        for ax in axes[2:]:
            ax.set_xticks(range(9), [str(p) for p in places])
        axes[3].set_yticks(range(9), [str(p) for p in places])
    ax = fig.add_subplot(parts[2])
    colour, marker = plots.LINES[0]
    ax.plot(range(1, len(curve) + 1), curve, color=colour, marker=marker, label="probabilities averaged")
    ax.axhline(no_density, color=plots.LINES[1][0], linestyle="--", label="all logits averaged: no density")
    ax.set_xlabel("orderings in the average, of one net", fontsize=9.5, color=plots.TEXT)
    ax.set_ylabel("−log p(x), nats", fontsize=9.5, color=plots.TEXT)
    ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8.5)
    ax.legend(frameon=False, fontsize=9)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
