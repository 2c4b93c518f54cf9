"""Samples of the reproduced GANs above the training digits that are nearest to them.

`python -m scratchgen.studies.reproduce.pictures` reads the runs that `scratchgen reproduce gan`, `dcgan`
and `wgan_gp` left in runs/, and draws docs/figures/gan_samples.png.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.metrics import nearest_distance
from scratchgen.models import AveragedGenerator
from scratchgen.plots import Row
from scratchgen.studies.reproduce import dcgan, gan, wgan_gp
from scratchgen.studies.reproduce.games import Curve, draw
from scratchgen.training import checkpoint

RUNS = {"dense GAN": gan, "DCGAN": dcgan, "WGAN-GP": wgan_gp}
COLUMNS, PAIRS = 11, 2


def main(out: Path) -> None:
    """Draw gan_samples.png, and print how far samples lie from the nearest training digit."""
    x_train = load_digits("full").x_train
    rows: list[Row] = []
    breaks = []
    for name, module in RUNS.items():
        samples = drawn_by(module, x_train)[: COLUMNS * PAIRS]
        nearest = x_train[[closest(x, x_train) for x in samples]]
        print(f"{name:10} median distance to the nearest training digit {median(samples, x_train):.2f}")
        breaks.append(len(rows))
        for pair in range(PAIRS):
            part = slice(pair * COLUMNS, (pair + 1) * COLUMNS)
            rows += [Row(name, samples[part]), Row("nearest", nearest[part])]
    fig = plots.image_grid(
        rows, title="Samples, not chosen, and the training digit nearest to each", breaks=breaks[1:]
    )
    print(plots.save(fig, out / "gan_samples.png"), "is drawn")


def drawn_by(module: ModuleType, x_train: np.ndarray) -> np.ndarray:
    """Samples of a finished run, as its Fréchet distance was measured by."""
    path = Path(f"runs/reproduce-{module.__name__.split('.')[-1]}.safetensors")
    x = x_train[: -gan.HELD_OUT] if module is gan else x_train
    model, trainer = module.build(x, checkpoint.read_config(path)["epochs"])
    averaged = AveragedGenerator(model)
    trainer.callbacks += [averaged, Curve(lambda: 0.0, 1)]
    checkpoint.load(path, trainer)
    averaged.on_start(trainer)
    with averaged.applied():
        return draw(model, module.SEED)


def closest(x: np.ndarray, X: np.ndarray) -> int:
    return int(((X - x) ** 2).sum(axis=1).argmin())


def median(samples: np.ndarray, X: np.ndarray) -> float:
    return float(np.median(nearest_distance(samples, X)))


if __name__ == "__main__":
    main(Path("docs/figures"))
