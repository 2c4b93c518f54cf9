"""Two classifiers agree near data; only one has a density.

The data are points of two classes in the plane, from known densities, so the best possible boundary is known.
The discriminative models, logistic regression and a small net, learn only P(y | x). The generative models
learn a density for each class; their boundary is where p(x | y)·p(y) of the two classes are equal.

Both kinds find nearly the same boundary, the black lines. They differ at the star, far from all data. There,
all models assign a class with a probability near 1, even the generative ones, because Bayes' theorem divides
by p(x). But generative models also give p(x), which is very small there.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.studies.experiments.two_views import FAR, NET, QDA, best_class, fit_models, measure, points

from ..common import print_table, run, save

EDGES = (-4.5, 10.5)
FORMATS = {
    "error": ".1%",
    "agrees with best": ".1%",
    "P(y=1 | x) far away": ".5f",
    "log p(x) far away": ".1f",
    "lowest in training": ".1f",
}


def main(
    out: Path, *, examples: int = 400, tested: int = 20_000, epochs: int = 200, seed: int = 1
) -> dict[str, Any]:
    """Train five models and compare their boundaries and their answers far from the data.

    examples : points of each class to train on;  tested : points to classify
    epochs   : of the net
    """
    rng = np.random.default_rng(seed)
    X, y = points(examples, rng)
    X_test, y_test = points(tested // 2, rng)
    models = fit_models(X, y, epochs, rng)
    table = {"best possible": {"error": float((best_class(X_test) != y_test).mean())}}
    table |= {name: measure(model, X, X_test, y_test) for name, model in models.items()}
    title = f"{2 * examples} training points, {len(X_test):,} test points; log p(x) in nats"
    print_table(table, title, FORMATS)
    same = float((models[NET].predict(X_test) == models[QDA].predict(X_test)).mean())
    print(f"the net and QDA give the same class to {same:.1%} of the points")
    picture = save(draw(X, y, models[NET], models[QDA]), out / "two_views.png")
    return {"table": table, "net and QDA agree": same, "figure": picture}


def draw(X: np.ndarray, y: np.ndarray, net: Any, qda: Any) -> Figure:
    """Plot P(y | x) of the net and the two densities of QDA, with the same points."""
    figure = plots.new_figure(5.0, title="Two views of the same data, and of a point far from it")
    axes = figure.subplots(1, 2, sharey=True)
    a, b = np.meshgrid(np.linspace(*EDGES, 241), np.linspace(*EDGES, 241))
    grid = np.stack([a.ravel(), b.ravel()], axis=1)
    blue, orange = plots.LINES[0][0], plots.LINES[1][0]
    p = net.predict_proba(grid)[:, 1].reshape(a.shape)
    ramp = LinearSegmentedColormap.from_list("", [blue, "white", orange])
    colours = [ramp(t) for t in np.linspace(0, 1, 10)]
    axes[0].contourf(a, b, p, np.linspace(0, 1, 11), colors=colours, alpha=0.35)
    joint = qda.log_joint(grid)
    for k, colour in ((0, blue), (1, orange)):
        levels = joint[:, k].max() - np.array([32, 18, 8, 4.5, 2, 0.5])
        heights = joint[:, k].reshape(a.shape)
        axes[1].contour(a, b, heights, levels, colors=colour, linewidths=0.9, linestyles="-")
    titles = (
        "discriminative: P(y | x) from a net, shaded;\nblack: where it is ½",
        "generative: log p(x, y) of QDA, its levels;\nblack: where the two are equal",
    )
    texts = (
        f"P(y = 1 | x) = {net.predict_proba(FAR)[0, 1]:.4f};\nno p(x)",
        f"P(y = 1 | x) = {qda.predict_proba(FAR)[0, 1]:.4f}, but\n"
        f"log p(x) = {qda.score_samples(FAR)[0]:.0f} nats",
    )
    boundaries = p - 0.5, (joint[:, 1] - joint[:, 0]).reshape(a.shape)
    box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 2}
    for ax, title, text, zero in zip(axes, titles, texts, boundaries, strict=True):
        ax.contour(a, b, zero, [0], colors="black", linewidths=1.8)
        for k, (colour, marker) in enumerate(plots.LINES[:2]):
            ax.scatter(*X[y == k].T, s=6, color=colour, marker=marker, alpha=0.5, linewidths=0)
        ax.scatter(*FAR.T, s=150, color="black", marker="*", zorder=3)
        place = FAR[0, 0] + 1, FAR[0, 1] - 0.7
        ax.text(*place, text, ha="right", va="top", fontsize=9, color=plots.TEXT, bbox=box)
        ax.set_title(title, fontsize=10, color=plots.TEXT, linespacing=1.4)
        ax.set(aspect="equal", xlim=EDGES, ylim=EDGES, xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    run(main)
