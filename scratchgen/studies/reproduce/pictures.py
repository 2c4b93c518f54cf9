"""Plot samples of the reproduced GANs, and below each the nearest training digit.

`scratchgen study pictures` reads the runs that the reproductions gan, dcgan and wgan_gp saved in runs/.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import nearest_distance
from scratchgen.models import AveragedGenerator
from scratchgen.plots import Row
from scratchgen.saving.container import one_line_errors
from scratchgen.studies.curve import Curve
from scratchgen.studies.reproduce.gans import sample
from scratchgen.studies.reproduce.recipe import Recipe, recipe
from scratchgen.training import checkpoint

RUNS = {"dense GAN": "gan", "DCGAN": "dcgan", "WGAN-GP": "wgan_gp"}
COLUMNS, PAIRS = 11, 2


def plot_samples(out: Path) -> tuple[Path, dict[str, float]]:
    """Write gan_samples.png into `out`.

    Returns its path and, for each model, the median distance from a sample to the nearest training digit.
    """
    digits = load_digits("full")
    x_train = digits.x_train
    rows: list[Row] = []
    breaks, medians = [], {}
    for title, name in RUNS.items():
        samples = samples_of(recipe(name))[: COLUMNS * PAIRS]
        nearest = x_train[[int(((x_train - x) ** 2).sum(axis=1).argmin()) for x in samples]]
        medians[title] = float(np.median(nearest_distance(samples, x_train)))
        breaks.append(len(rows))
        for pair in range(PAIRS):
            part = slice(pair * COLUMNS, (pair + 1) * COLUMNS)
            rows += [Row(title, samples[part]), Row("nearest", nearest[part])]
    title = "Samples, not selected, and the nearest training digit to each"
    fig = plots.image_grid(rows, title=title, breaks=breaks[1:])
    return plots.save(fig, out / "gan_samples.png"), medians


def samples_of(recipe: Recipe) -> np.ndarray:
    """The samples of a finished run that its result was measured on."""
    with one_line_errors(recipe.path):
        epochs = int(checkpoint.read_config(recipe.path)["epochs"])
    trainer = recipe.build(load_digits("full"), epochs)
    averaged = AveragedGenerator(trainer.model)     # type: ignore[arg-type]
    trainer.callbacks += [averaged, Curve(lambda: {}, 1)]
    checkpoint.load(recipe.path, trainer)
    averaged.on_start(trainer)
    with averaged.applied():
        return sample(trainer.model)                # type: ignore[arg-type]
