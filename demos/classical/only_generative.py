"""Generative classifiers handle missing pixels and sample.

Two models of P(x, y) are compared with two of P(y | x), all trained on the same digits. The first are naive
Bayes on binary pixels and a Gaussian for each class on grey pixels; the others are logistic regression and a
small net.

Where pixels are missing, a model of P(x, y) sums over their values exactly. A model of P(y | x) needs some
value: here black, or the mean. The left plot shows the errors when most pixels are missing. For
out-of-distribution images, the score is log p(x), or the largest P(y | x) of a discriminative model. AUROC is
the share of pairs of a digit and another image in which the digit has the higher score. Some of these images
have a high density, such as the blank one.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.studies.experiments import missing_pixels as experiment
from scratchgen.studies.experiments.missing_pixels import GAUSSIAN, LOGISTIC, MISSING, NAIVE, NET

from ..common import mosaic, print_table, run, save, say, show_image, tidy

LINES = {NAIVE: 1, GAUSSIAN: 2, LOGISTIC: 0, NET: 3}


def main(
    out: Path, *, examples: int = 6000, tested: int = 1000, epochs: int = 15, seed: int = 1
) -> dict[str, Any]:
    """Train four models, and test them on the three tasks.

    examples : training digits;  tested : test digits
    epochs   : of the net
    """
    digits = load_digits()
    say(digits.source)
    x, y = digits.x_train[:examples], digits.y_train[:examples]
    x_test, y_test = digits.x_test[:tested], digits.y_test[:tested]
    rng = np.random.default_rng(seed)
    models = experiment.fit_models(x, y, epochs, rng)
    images, read = {}, {}
    for name in (NAIVE, GAUSSIAN):
        requested = np.tile(np.arange(10), 100)
        generated = models[name].sample(1000, rng=rng, y=requested).astype(np.float32).clip(0, 1)
        images[name] = generated[:10]
        read[name] = models[NET].score(generated, requested)
    read["real test digits"] = models[NET].score(x_test, y_test)
    rows = {name: {"read as requested": share} for name, share in read.items()}
    title = "100 generated digits of each class: the share that the net reads as that class"
    print_table(rows, title, {"read as requested": ".1%"})

    errors = experiment.errors_with_missing_pixels(models, x, x_test, y_test, seed)
    rows = {name: {f"{share:.0%}": error for share, error in row.items()} for name, row in errors.items()}
    title = "Error, by the share of pixels that are missing"
    print_table(rows, title, {f"{share:.0%}": ".1%" for share in MISSING})

    auroc: dict[str, dict[str, float]] = {}
    others = experiment.out_of_distribution(x_test, rng)
    for name, model in models.items():
        own = experiment.score_of(model, x_test)
        kind = "log p(x)" if model.likelihood else "max P(y | x)"
        auroc[f"{name}, {kind}"] = {
            other: experiment.separation(own, experiment.score_of(model, x)) for other, x in others.items()
        }
    print_table(auroc, "AUROC, digits against other images", dict.fromkeys(others, ".3f"))
    picture = save(draw(images, errors, auroc), out / "only_generative.png")
    return {"read": read, "errors": errors, "auroc": auroc, "figure": picture}


def draw(
    images: dict[str, np.ndarray], errors: dict[str, dict[float, float]], auroc: dict[str, dict[str, float]]
) -> Figure:
    """Plot generated digits, the error for each share of missing pixels, and the AUROCs."""
    figure = plots.new_figure(6.0, title="Generate, read incomplete digits, detect other images")
    top, bottom = figure.add_gridspec(2, 1, height_ratios=(1, 2.4))
    ax = figure.add_subplot(top)
    show_image(ax, mosaic(np.concatenate(list(images.values())), 2))
    ax.set_yticks([14, 42], list(images), fontsize=9.5, color=plots.TEXT)
    ax.tick_params(length=0)
    left, right = bottom.subgridspec(1, 2, width_ratios=(1.1, 1)).subplots()
    for name, style in (
        (f"{NAIVE}, summed out", "-"), (f"{NAIVE}, black", ":"), (f"{GAUSSIAN}, integrated out", "-"),
        (f"{LOGISTIC}, mean", "-"), (f"{NET}, mean", "-"), (f"{NET}, black", ":"),
    ):  # fmt: skip
        colour, marker = plots.LINES[LINES[name.partition(",")[0]]]
        share, values = 100 * np.array(MISSING), 100 * np.array(list(errors[name].values()))
        left.plot(share, values, color=colour, marker=marker, markersize=4, linestyle=style, label=name)
    tidy(left, "error, %, by the share of missing pixels, %")
    left.set_ylim(0, 100)
    left.legend(frameon=False, fontsize=8.5, loc="upper left")
    for i, (name, row) in enumerate(auroc.items()):
        colour, _ = plots.LINES[LINES[name.partition(",")[0]]]
        place = np.arange(len(row)) + 0.2 * (i - 1.5)
        right.bar(place, list(row.values()), width=0.18, color=colour, label=name.replace(",", ":"))
    right.axhline(0.5, color=plots.GREY, linewidth=1, linestyle=":")
    tidy(right, "AUROC, digits against other images")
    right.set_xticks(range(len(row)), list(row), fontsize=8.5)
    right.set(ylim=(0, 1.55), yticks=[0, 0.25, 0.5, 0.75, 1])
    right.legend(frameon=False, fontsize=8.5, loc="upper left")
    return figure


if __name__ == "__main__":
    run(main)
