"""MADE and PixelCNN see every earlier pixel and no other.

The upper plots show the gradient of every logit in every pixel, for digits of 10×10. The logits of a MADE and
of a PixelCNN with two stacks depend on every earlier pixel, and on no other. Those of one stack of masked
convolutions, however deep, do not depend on some pixels to the upper right: look at the white triangles.

The lower plots complete the lower half of a digit given its upper half. MADE does this exactly, by the chain
rule. A VAE weights codes of its prior. NICE changes the lower half by Langevin steps along the gradient of
log p(x), which backprop computes for the pixels. The table compares all completions with the true half.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import Digits, binarise, load_digits
from scratchgen.models import MADE, NICE, VAE, PixelCNN
from scratchgen.studies.experiments import completions
from scratchgen.studies.experiments import pixel_dependencies as dependencies

from ..common import first_of_each_digit, print_table, run, save, say, show_image, train


def main(
    out: Path,
    *,
    shown: int = 240_000,
    stacks_shown: int = 24_000,
    codes: int = 30_000,
    steps: int = 200,
    seed: int = 1,
) -> dict[str, Any]:
    """Train all models, find the dependencies, and complete digits.

    shown : digits that MADE, VAE and NICE see each;  stacks_shown : digits that the PixelCNN sees
    codes : of the VAE's prior;  steps : of Langevin
    """
    digits = load_digits()
    say(digits.source)
    rng = np.random.default_rng(seed)
    matrices = find_dependencies(digits, shown // 4, stacks_shown, rng)
    seen = {name: dependencies.shares(matrix) for name, matrix in matrices.items()}
    print_table(seen, "10×10 pixels, by gradient", {"earlier pixels seen": ".1%"})

    x, grey = digits.x_train, digits.x_test[:200]
    test = binarise(grey, rng=rng)
    print("\nTraining a MADE 784-500-784, a VAE 784-300-8 and a NICE of four couplings")
    made = MADE(784, (500,), rng=rng, binarisation="dynamic")
    vae = VAE.dense((784, 300, 8), rng=rng)
    nice = NICE.dense(784, (300, 300), 4, rng=rng, levels=256)
    for model, lr in ((made, 4e-3), (vae, 3e-3), (nice, 2e-3)):
        train(model, x, shown=shown, lr=lr, rng=rng)
    table, images, effective = completions.compare(made, vae, nice, x, grey, test, codes, steps, rng)
    title = f"The lower half of {len(test)} test digits given the upper half, of 392 pixels each; nats"
    print_table(table, title, dict.fromkeys(table["MADE, exact"], ".1f"))
    say(f"effective number of {codes:,} codes for a digit, (Σw)² / Σw²: {effective:.1f} (median)")
    figure = draw(matrices, images, first_of_each_digit(digits.y_test[:200]))
    picture = save(figure, out / "one_factor_at_a_time.png")
    return {"seen": seen, "completions": table, "effective codes": effective, "figure": picture}


def find_dependencies(
    digits: Digits, made_shown: int, stacks_shown: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Train two models of 10×10 digits; return the largest |d logit / d pixel| by model, (100, 100)."""
    x, test = (
        binarise(dependencies.halved(part), rng=rng) for part in (digits.x_train, digits.x_test[:1000])
    )
    print("\nTraining a MADE and a PixelCNN on digits of 10×10")
    made = MADE(100, (300,), rng=rng)
    stacks = PixelCNN((10, 10), channels=16, layers=6, first=7, rng=rng)
    train(made, x, shown=made_shown, lr=4e-3, rng=rng)
    train(stacks, x, shown=stacks_shown, lr=4e-3, rng=rng)
    made_nats, stacks_nats = (-model.score_samples(test).mean() for model in (made, stacks))
    print(f"−log p(x) of 1,000 test digits: MADE {made_nats:.2f} nats, PixelCNN {stacks_nats:.2f}")
    return {
        "MADE": dependencies.slopes(made.net, test[:20], (100,)),
        "PixelCNN, two stacks": dependencies.slopes(stacks.net, test[:20], (10, 10, 1)),
        "one stack of 10 layers": dependencies.slopes(dependencies.one_stack(rng), test[:20], (10, 10, 1)),
    }


def draw(matrices: dict[str, np.ndarray], images: dict[str, np.ndarray], chosen: np.ndarray) -> Figure:
    """Plot the gradients, and below them the completions of the chosen digits."""
    fig = plots.new_figure(8.2, title="Which logit depends on which pixel; and completions of digits")
    grid = fig.add_gridspec(2, 1, height_ratios=(1, 1.55))
    (axes,) = grid[0].subgridspec(1, 3).subplots(squeeze=False)
    for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
        with np.errstate(divide="ignore"):
            shade = np.log10(matrix / matrix.max())
        shade[matrix == 0] = np.nan
        ax.imshow(shade, cmap="viridis", vmin=-5, vmax=0, interpolation="nearest")
        ax.set_title(name, fontsize=10, color=plots.TEXT)
        ax.set_xlabel("pixel", fontsize=9, color=plots.TEXT)
        ax.set(xticks=[0, 50, 99], yticks=[0, 50, 99])
        ax.tick_params(labelsize=8.5)
    axes[0].set_ylabel("logit", fontsize=9, color=plots.TEXT)
    cells = grid[1].subgridspec(len(images), len(chosen), wspace=0.02, hspace=0.02).subplots(squeeze=False)
    for row, (name, pictures) in zip(cells, images.items(), strict=True):
        for ax, picture in zip(row, pictures[chosen], strict=True):
            show_image(ax, picture)
        row[0].set_ylabel(name, fontsize=9, color=plots.TEXT, rotation=0, ha="right", va="center")
    return fig


if __name__ == "__main__":
    run(main)
