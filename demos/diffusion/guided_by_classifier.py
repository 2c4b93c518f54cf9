"""A classifier guides a model that never saw a label.

By Bayes' theorem, the score of p(x | y) is the score of p(x) plus the gradient of log p(y | x). A diffusion
model, trained on digits without their labels, has the first. A classifier has the second: backprop goes
through the classifier to the digit that the model predicts, and through the model to the noisy digit.

The table shows how many of the samples are read as the digit that was ordered. The guide could be deceived by
its own gradient, so a second classifier, which had no part in sampling, reads them as well. More strength
means more correct digits, and less variety.

The same model completes the upper halves of test digits. Filling in the known pixels at each step is not
enough: with repeated steps, more of the completed digits are read as the original. But this small model does
not reach a simple baseline, a copy of the lower half of the training digit with the nearest upper half.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import ConvClassifier, Diffusion, MLPClassifier
from scratchgen.studies.experiments import guided_digits as experiment

from ..common import mosaic, plot_lines, print_table, run, save, say, show_image, tidy, train

STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0)


def main(
    out: Path,
    *,
    shown: int = 180_000,
    width: int = 128,
    samples: int = 200,
    steps: int = 50,
    repeats: int = 10,
    seed: int = 0,
) -> dict[str, Any]:
    """Train a diffusion model and two classifiers; guide samples, and complete digits.

    shown : digits that the diffusion model sees;  width : of its network
    samples : for each strength, and test digits to complete;  steps, repeats : of the samplers
    """
    digits = load_digits()
    say(digits.source)
    rng = np.random.default_rng(seed)
    x, test = experiment.halved(digits.x_train), experiment.halved(digits.x_test[:samples])
    model = Diffusion.dense(x.shape[1], width, 3, levels=256, steps=200, predicts="x0", rng=rng)
    train(model, x, shown=shown, lr=2e-3, rng=rng, batch_size=64)
    guide = ConvClassifier((8, 16, 32), (64,), shape=(14, 14, 1), rng=rng)
    second = MLPClassifier((x.shape[1], 128, 10), rng=rng)
    for classifier, number in ((guide, 24_000), (second, 240_000)):
        train(classifier, x, digits.y_train, shown=number, lr=4e-3, rng=rng, quiet=True)

    strengths, drawn = experiment.guided(model, guide, second, STRENGTHS, samples, steps, seed)
    formats = dict.fromkeys(strengths["strength 0"], ".1%") | {"variety": ".3f"}
    print_table(strengths, "Samples that are read as the digit that was ordered", formats)
    labels = digits.y_test[:samples]
    completed, filled = experiment.completions(model, second, x, test, labels, steps, repeats, rng)
    formats = {"read as the original": ".1%", "squared error": ".1f"}
    print_table(completed, f"{len(test)} test digits, of which the upper half is given", formats)
    figure = draw(strengths, drawn, filled)
    picture = save(figure, out / "guided_by_classifier.png")
    return {"strengths": strengths, "completed": completed, "figure": picture}


def draw(
    strengths: dict[str, dict[str, float]], drawn: dict[float, np.ndarray], filled: dict[str, np.ndarray]
) -> Figure:
    """Plot the shares against the strength, guided samples, and completions."""
    figure = plots.new_figure(5.6, title="A classifier guides a diffusion model that never saw a label")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    left, right = upper.subplots(1, 2, width_ratios=(1, 1.5))
    names = ("read by the guide", "read by a second network")
    curves = {name: (STRENGTHS, [100 * row[name] for row in strengths.values()]) for name in names}
    plot_lines(left, curves)
    left.axhline(10, color=plots.GREY, linewidth=1, linestyle=":")
    left.text(max(STRENGTHS), 12, "by chance", fontsize=8.5, ha="right", color=plots.GREY)
    tidy(left, "samples that are read as ordered", "strength of the classifier", "percent")
    left.set_ylim(0, 103)
    left.legend(frameon=False, fontsize=8.5, loc="lower right", bbox_to_anchor=(1, 0.15))
    samples = np.concatenate([x[:10] for x in drawn.values()])
    show_image(right, mosaic(experiment.enlarged(samples), len(drawn)), "samples, by ordered digit")
    right.set_xticks([14 + 28 * k for k in range(10)], list("0123456789"), fontsize=9)
    right.set_yticks([14 + 28 * i for i in range(len(drawn))], [f"{w:g}" for w in drawn], fontsize=9)
    right.set_ylabel("strength", fontsize=9.5, color=plots.TEXT)
    ax = lower.subplots()
    digits = np.concatenate([rows[:18] for rows in filled.values()])
    show_image(ax, mosaic(experiment.enlarged(digits), len(filled)), "test digits, given their upper half")
    ax.set_yticks([14 + 28 * i for i in range(len(filled))], list(filled), fontsize=9)
    return figure


if __name__ == "__main__":
    run(main)
