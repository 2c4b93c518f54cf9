"""Flow matching of an autoencoder's codes: the Fréchet distance of the decoded samples from the test digits.

A digit has 784 pixels, most of which are black. An autoencoder turns it into 30 numbers and back, with a
Fréchet distance of 1.2 between test digits and their reconstructions. Flow matching of these numbers needs
no convolutions and little time. Source of the idea: Rombach et al. 2022. No labels are used, as for DCGAN.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.models import Autoencoder, FlowMatching
from scratchgen.studies.curve import Point
from scratchgen.studies.own_digits import checksum
from scratchgen.studies.reproduce import denoising, quality
from scratchgen.studies.reproduce.recipe import RUNS, Measurement, Recipe
from scratchgen.training import Cosine, OneCycle, checkpoint
from scratchgen.training.loop import Trainer
from scratchgen.training.runs import run_saved

SIZES, CODER_EPOCHS, CODER_PEAK = (784, 1000, 500, 250, 30), 15, 2e-3
HIDDEN, BLOCKS, TIMES, STEPS = 512, 4, "logit-normal", 20
BATCH, RATE = 256, 2e-3


def trained_autoencoder(digits: Digits, folder: Path = RUNS) -> Autoencoder:
    """The autoencoder, trained on the digits that are not held out: read from `folder`, or trained once."""
    train, _ = quality.split(digits)
    rng = np.random.default_rng(denoising.SEED)
    model = Autoencoder.dense(SIZES, rng=rng)
    path = folder / f"autoencoder-of-codes-{len(train)}{checksum(digits)}.safetensors"
    if path.is_file() and checkpoint.is_finished(path):
        checkpoint.load_model(path, model)
        print(f"autoencoder: read from {path}")
        return model
    print(f"autoencoder: training on {len(train):,} digits once, to be saved in {path}")
    trainer = model.trainer(train, epochs=CODER_EPOCHS, lr=OneCycle(CODER_PEAK), rng=rng)
    config = {"run": "autoencoder of codes", "size": len(train), "epochs": CODER_EPOCHS}
    run_saved(trainer, path, resume=path.is_file(), config=config)
    return model


def build(digits: Digits, epochs: int) -> Trainer:
    """The run on the codes of the training digits: model, batches, schedule and seed."""
    rng = np.random.default_rng(denoising.SEED)
    train, _ = quality.split(digits)
    model = FlowMatching.dense(SIZES[-1], HIDDEN, BLOCKS, times=TIMES, rng=rng)
    codes = trained_autoencoder(digits).transform(train)
    return model.trainer(codes, epochs=epochs, batch_size=BATCH, lr=Cosine(RATE), rng=rng)


def drawing_with(coder: Autoencoder) -> denoising.Draw:
    """A function that samples codes by Heun's method and decodes them. It uses no labels and no guidance."""

    def draw(model: Any, labels: np.ndarray, guidance: float) -> np.ndarray:
        return coder.inverse_transform(model.sample(len(labels), rng=quality.SEED, steps=STEPS))

    return draw


def measure(trainer: Trainer, digits: Digits) -> Measurement:
    """The quality of the decoded samples every few epochs and after the last one."""
    coder = trained_autoencoder(digits)
    study = denoising.SampleStudy(trainer, digits, drawing_with(coder))

    def finish(points: list[Point]) -> dict[str, Any]:
        found = study.figures()
        reconstructed = study.metrics.measure(coder.reconstruct(digits.x_test)).frechet
        return {
            "figure": (
                f"flow matching of an autoencoder's codes, {trainer.epochs} epochs: Fréchet distance of "
                f"{quality.SAMPLES:,} samples from the test digits"
            ),
            "ours": round(found["frechet"], 3),
            "recipe": (
                f"codes of {SIZES[-1]} from an autoencoder {'-'.join(map(str, SIZES))} (Adam on a one-cycle "
                f"schedule up to {CODER_PEAK:g}, batch 128, {CODER_EPOCHS} epochs, whose time is not in the "
                f"curve); residual net of {BLOCKS} blocks of {HIDDEN}; times {TIMES}; Adam on a cosine from "
                f"{RATE:g}; batch {BATCH}, {trainer.epochs} epochs; float32, seed {denoising.SEED}; samples "
                f"by averaged weights (decay {denoising.DECAY:g}), {STEPS} steps of Heun's method; "
                f"{found['note']}; the curve has the figures of {denoising.POINT:,} samples"
            ),
            "other_figures": {
                "Parzen-window log p(x) of the samples, nats": round(found["parzen"], 2),
                "reconstructed test digits in place of samples": round(reconstructed, 2),
                **found["other_figures"],
            },
            "details": found["details"],
        }

    return Measurement(partial(study.point, "frechet"), finish)


RECIPE = Recipe(
    name="latent_flow_matching",
    title="Fréchet distance of flow matching of an autoencoder's codes",
    unit="squared distance, classifier's features",
    paper=None,
    source="",
    epochs=100,
    every=20,
    build=build,
    measure=measure,
)
