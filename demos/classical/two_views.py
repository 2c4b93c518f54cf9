"""Two views of one data set: the boundary learnt directly, and the place where two densities cross.

Points of two classes in the plane, drawn from densities that are known, so the best possible boundary is too.
The discriminative view learns P(y | x) and nothing else: logistic regression, and a small net. The generative
one learns a density for each class, and its boundary is where p(x | y)·p(y) of the two are equal.

Both find nearly the same boundary. They differ far from all data: asked for a class, all of them are sure of
one there, the generative ones too, as Bayes' theorem divides by p(x). But only they have a p(x), and it says
that nothing like this was ever seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import GaussianMixture
from scratchgen.layers import Tanh
from scratchgen.models import GaussianDiscriminant, GaussianNaiveBayes, LogisticRegression, MLPClassifier
from scratchgen.training.schedules import OneCycle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
PARTS = (                                       # the two classes, each with its density
    GaussianMixture([1.0], [[-1.2, 0.3]], [0.7]),
    GaussianMixture([0.6, 0.4], [[1.2, -0.4], [1.6, 1.6]], [0.8, 0.5]),
)
FAR = np.array([[9.0, 9.0]])
EDGES = (-4.5, 10.5)
NAMES = ("logistic regression", "a net, 2-16-2", "naive Bayes", "LDA", "QDA")


def main(out: Path, examples: int = 400, tested: int = 20_000, epochs: int = 200) -> None:
    """Train, print the table, draw.

    examples : how many points of each class there are to learn from;  tested : how many to be asked about
    epochs : for the net
    """
    rng = np.random.default_rng(SEED)
    X, y = points(examples, rng)
    X_test, y_test = points(tested // 2, rng)
    net = MLPClassifier((2, 16, 2), rng=rng, activation=Tanh, dtype=np.float64)
    lr = OneCycle(0.02, epochs * -(-len(X) // 64))
    net.fit(X, y, epochs=epochs, batch_size=64, lr=lr, rng=rng)
    models = dict(
        zip(
            NAMES,
            (
                LogisticRegression(2, 2, dtype=np.float64).fit(X, y),
                net,
                GaussianNaiveBayes().fit(X, y),
                GaussianDiscriminant().fit(X, y),
                GaussianDiscriminant(shared=False).fit(X, y),
            ),
            strict=True,
        )
    )
    best = best_class(X_test)
    print(f"{2 * examples} points to learn from, {len(X_test):,} to be asked about")
    print("\nmodel                    error      agrees with      P(y = 1 | x)   log p(x) there, against the")
    print("                       in test    the best one         far away    lowest of what it learnt from")
    print(f"{'the best there is':20}{1 - (best == y_test).mean():10.1%}")
    for name, model in models.items():
        predicted = model.predict(X_test)
        line = f"{name:20}{1 - (predicted == y_test).mean():10.1%}{(predicted == best).mean():16.1%}"
        line += f"{model.predict_proba(FAR)[0, 1]:17.5f}"
        if model.likelihood is not None:
            line += f"{model.score_samples(FAR)[0]:12.1f}  {model.score_samples(X).min():8.1f} nats"
        print(line if model.likelihood is not None else line + "        none")
    direct, crossing = (models[name].predict(X_test) for name in ("a net, 2-16-2", "QDA"))
    print(f"the net and QDA give one and the same class to {(direct == crossing).mean():.1%} of the points")
    picture = plots.save(draw(X, y, models), out / "two_views.png")
    print(f"\n{picture} is drawn")


def points(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n points of each class: X (2n, 2), y (2n,)."""
    X = np.concatenate([part.sample(n, rng=rng) for part in PARTS])
    return X, np.repeat([0, 1], n)


def best_class(X: np.ndarray) -> np.ndarray:
    """The class whose true density is higher: no one errs less often."""
    return np.stack([part.log_density(X) for part in PARTS], axis=1).argmax(axis=1)


def draw(X: np.ndarray, y: np.ndarray, models: dict) -> Figure:
    """P(y | x) of the net, and the two densities of QDA, on the same plane with the same points."""
    figure = plots.new_figure(4.75, title="Two views of one data set, and of a point far from it")
    axes = figure.subplots(1, 2, sharey=True)
    a, b = np.meshgrid(np.linspace(*EDGES, 241), np.linspace(*EDGES, 241))
    grid = np.stack([a.ravel(), b.ravel()], axis=1)
    blue, orange = plots.LINES[0][0], plots.LINES[1][0]
    net, qda = models["a net, 2-16-2"], models["QDA"]
    p = net.predict_proba(grid)[:, 1].reshape(a.shape)
    axes[0].contourf(a, b, p, np.linspace(0, 1, 11), colors=ramp(blue, orange, 10), alpha=0.35)
    joint = qda.log_joint(grid)
    for k, colour in ((0, blue), (1, orange)):
        levels = joint[:, k].max() - np.array([32, 18, 8, 4.5, 2, 0.5])
        heights = joint[:, k].reshape(a.shape)
        axes[1].contour(a, b, heights, levels, colors=colour, linewidths=0.9, linestyles="-")
    titles = (
        "discriminative: P(y | x) from a net, shaded;\nblack: where it is ½",
        "generative: log p(x, y) of QDA, its levels;\nblack: where the two are equal",
    )
    far = qda.score_samples(FAR)[0]
    light = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 2}
    says = (
        f"P(y = 1 | x) = {net.predict_proba(FAR)[0, 1]:.4f};\nof p(x) it says nothing",
        f"P(y = 1 | x) = {qda.predict_proba(FAR)[0, 1]:.4f}, but\nlog p(x) = −{-far:.0f} nats",
    )
    margin = (p - 0.5, (joint[:, 1] - joint[:, 0]).reshape(a.shape))
    for ax, title, said, zero in zip(axes, titles, says, margin, strict=True):
        ax.contour(a, b, zero, [0], colors="black", linewidths=1.8)
        for k, (colour, marker) in enumerate(plots.LINES[:2]):
            ax.scatter(*X[y == k].T, s=6, color=colour, marker=marker, alpha=0.5, linewidths=0)
        ax.scatter(*FAR.T, s=150, color="black", marker="*", zorder=3)
        place = FAR[0, 0] + 1, FAR[0, 1] - 0.7
        ax.text(*place, said, ha="right", va="top", fontsize=9, color=plots.TEXT, bbox=light)
        ax.set_title(title, fontsize=10, color=plots.TEXT, linespacing=1.4)
        ax.set_aspect("equal")
        ax.set_xlim(EDGES)
        ax.set_ylim(EDGES)
        ax.set_xticks([])
        ax.set_yticks([])
    return figure


def ramp(start: str, end: str, steps: int) -> list[tuple[float, ...]]:
    """Colours from one to the other through white."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("", [start, "white", end])
    return [colours(t) for t in np.linspace(0, 1, steps)]


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
