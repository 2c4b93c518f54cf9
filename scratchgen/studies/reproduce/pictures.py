"""Plot samples of the reproduced GANs and diffusions, and below each the nearest training digit.

`scratchgen study pictures` reads the runs that the reproductions saved in runs/.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scratchgen import plots
from scratchgen.data import Digits
from scratchgen.metrics import nearest_distance
from scratchgen.models import AveragedGenerator
from scratchgen.plots import Row
from scratchgen.saving.container import one_line_errors
from scratchgen.studies.curve import Curve
from scratchgen.studies.own_digits import digits_of, suffix
from scratchgen.studies.reproduce import denoising, diffusion, flow_matching, latent_flow_matching
from scratchgen.studies.reproduce.gans import sample
from scratchgen.studies.reproduce.recipe import Recipe, recipe
from scratchgen.training import AveragedWeights, checkpoint

COLUMNS, PAIRS = 11, 2
GUIDANCE = 0.25         # the strength that the runs of diffusion and flow matching chose

class Finished(NamedTuple):
    """A finished run: its recipe and its file."""

    recipe: Recipe
    path: Path


Sampler = Callable[[Finished, Digits], np.ndarray]


def plot_samples(out: Path, figure: str, data: str = "") -> tuple[Path, dict[str, float]]:
    """Write the picture of samples `figure` (a name of FIGURES) into `out`.

    data : other images of 28 x 28 that the reproductions were trained on, a path as for load_dataset

    Returns its path and, for each model, the median distance from a sample to the nearest training digit.
    """
    digits = digits_of(data)
    x_train = digits.x_train
    rows: list[Row] = []
    breaks, medians = [], {}
    for title, (name, samples_of) in FIGURES[figure].items():
        run = Finished(recipe(name), recipe(name).path(data))
        samples = samples_of(run, digits)[: COLUMNS * PAIRS]
        nearest = x_train[[int(((x_train - x) ** 2).sum(axis=1).argmin()) for x in samples]]
        medians[title] = float(np.median(nearest_distance(samples, x_train)))
        breaks.append(len(rows))
        for pair in range(PAIRS):
            part = slice(pair * COLUMNS, (pair + 1) * COLUMNS)
            rows += [Row(title, samples[part]), Row("nearest", nearest[part])]
    title = "Samples, not selected, and the nearest training digit to each"
    fig = plots.image_grid(rows, title=title, breaks=breaks[1:])
    return plots.save(fig, out / f"{figure}{suffix(data)}.png"), medians


def samples_of_gan(run: Finished, digits: Digits) -> np.ndarray:
    """The samples of a finished run of a GAN that its result was measured on."""
    return averaged_samples(run, digits, AveragedGenerator, sample)


def samples_of_pixels(run: Finished, digits: Digits, draw: denoising.Draw) -> np.ndarray:
    """Samples `draw(model, labels, guidance)` of a finished run, with the classes of training digits."""
    labels = denoising.drawn_labels(digits, COLUMNS * PAIRS)

    def sampled(model: Any) -> np.ndarray:
        return draw(model, labels, GUIDANCE)

    return averaged_samples(run, digits, lambda model: AveragedWeights(denoising.DECAY), sampled)


def samples_of_codes(run: Finished, digits: Digits) -> np.ndarray:
    """Decoded samples of a finished run of flow matching of an autoencoder's codes."""
    coder = latent_flow_matching.trained_autoencoder(digits)
    return samples_of_pixels(run, digits, latent_flow_matching.drawing_with(coder))


def averaged_samples(
    run: Finished, digits: Digits, average: Callable[[Any], Any], draw: Callable[[Any], np.ndarray]
) -> np.ndarray:
    """What `draw` returns for the model of a finished run with its averaged weights."""
    with one_line_errors(run.path):
        epochs = int(checkpoint.read_config(run.path)["epochs"])
    trainer = run.recipe.build(digits, epochs)
    averaged = average(trainer.model)
    trainer.callbacks += [averaged, Curve(lambda: {}, 1)]
    checkpoint.load(run.path, trainer)
    averaged.on_start(trainer)
    with averaged.applied():
        return draw(trainer.model)


# The rows of each picture: the title, the reproduction, and what samples its run.
FIGURES: dict[str, dict[str, tuple[str, Sampler]]] = {
    "gan_samples": {
        "dense GAN": ("gan", samples_of_gan),
        "DCGAN": ("dcgan", samples_of_gan),
        "WGAN-GP": ("wgan_gp", samples_of_gan),
    },
    "diffusion_samples": {
        "diffusion": ("diffusion", partial(samples_of_pixels, draw=diffusion.draw)),
        "flow matching": ("flow_matching", partial(samples_of_pixels, draw=flow_matching.draw)),
        "flow matching of codes": ("latent_flow_matching", samples_of_codes),
    },
}
