"""Guidance makes digits more correct and less varied.

A diffusion that is trained with labels can generate a digit that is ordered. Classifier-free guidance of
strength w exaggerates the difference between the predictions with and without the label: w = 0 is the
prediction with the label, and w = −1 ignores it.

A classifier trained on real digits counts how many of the generated digits are read as ordered. Diversity is
the mean distance between the features of two digits of the same class. Both are also measured for unseen real
digits. The Fréchet distance includes both, so it is smallest where neither is far from that of real digits.

Look at the columns of the figure from top to bottom: each starts from the same noise.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.studies.experiments import digit_diffusion as experiment

from ..common import digit_classifier, plot_lines, print_table, run, save, say, show_rows, tidy

STRENGTHS = (-1, 0, 0.5, 1, 2, 4, 8)
SHOWN = (-1, 0, 1, 4, 8)        # in the figure
COLUMNS = 20
MEASURES = {"as ordered": ".1%", "diversity": ".2f", "Fréchet": ".1f"}


def main(
    out: Path, *, shown: int = 120_000, generated: int = 1000, steps: int = 25, seed: int = 1
) -> dict[str, Any]:
    """Train one diffusion with labels, and generate digits with each strength of guidance.

    shown     : digits that the diffusion sees, 20 epochs of 6,000
    generated : digits for each strength, as many of each class
    steps     : of DDIM without noise
    """
    digits = load_digits()
    say(digits.source)
    x, y = digits.x_train, digits.y_train
    reader = experiment.Reader(digit_classifier(x, y, np.random.default_rng(seed)), digits.x_test)
    rng = np.random.default_rng(seed)
    model = experiment.dense(rng, steps=250, classes=10)
    print("\nTraining a diffusion with labels")
    experiment.fit(model, x, y, shown, 2e-3, rng)

    ordered = np.arange(generated) % 10
    images = {
        w: model.sample(generated, rng=seed, y=ordered, guidance=w, steps=steps, eta=0.0) for w in STRENGTHS
    }
    table = {f"w = {w:g}": reader.measure(images[w], ordered) for w in STRENGTHS}
    real = reader.measure(digits.x_test[:generated], digits.y_test[:generated])
    table["real, unseen"] = real | {"Fréchet": None}        # the digits to which the distance is measured
    real = reader.measure(x[:generated], y[:generated])
    table["real, training"] = real
    print_table(table, f"{generated:,} digits for each strength of guidance", MEASURES)
    picture = save(draw(table, images), out / "guidance_strength.png")
    return {"table": table, "figure": picture}


def draw(table: dict[str, dict[str, Any]], images: dict[float, np.ndarray]) -> Figure:
    """Plot correctness and diversity by strength, and digits from the same noises for some strengths."""
    figure = plots.new_figure(6.4, title="Guidance makes digits more correct and less varied")
    above, below = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    panels = above.subplots(1, 3)
    titles = ("read as the ordered digit", "diversity within a class", "Fréchet distance (lower is better)")
    for ax, name, title in zip(panels, MEASURES, titles, strict=False):
        values = [table[f"w = {w:g}"][name] for w in STRENGTHS]
        plot_lines(ax, {"generated": (range(len(STRENGTHS)), values)})
        if name in ("as ordered", "diversity"):
            real = table["real, unseen"][name]
            ax.axhline(real, color=plots.GREY, linestyle="--", label="unseen real digits")
            ax.legend(frameon=False, fontsize=9)
        tidy(ax, title, "strength w of guidance")
        ax.set_xticks(range(len(STRENGTHS)), [f"{w:g}" for w in STRENGTHS])
        ax.set_ylim(0)
    ax = below.subplots()
    rows = {f"w = {w:g}": images[w][:COLUMNS] for w in SHOWN}
    show_rows(ax, rows, "ordered: 0 to 9, twice; a column starts from the same noise")
    return figure


if __name__ == "__main__":
    run(main)
