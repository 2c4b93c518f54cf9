"""The dense GAN on MNIST: the Parzen-window log-likelihood of the test set, and controls of that measure.

Published: Goodfellow et al. 2014, "Generative adversarial nets", table 1: 225 ± 2 nats. Their protocol: a
Normal kernel on each of 10,000 samples, its width chosen on held-out digits, the mean over the test set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.metrics import kmeans
from scratchgen.models import GAN
from scratchgen.models.gan.networks import dense_critic, dense_generator, small_pixel_init
from scratchgen.studies.curve import Point
from scratchgen.studies.reproduce import gans, quality
from scratchgen.studies.reproduce.recipe import Measurement, Recipe
from scratchgen.training.loop import Trainer
from scratchgen.training.schedules import Cosine

CODE, GENERATOR, DISCRIMINATOR = 100, 1200, 512
BATCH, RATE, DISCRIMINATOR_RATE, DROPOUT, SEED = 100, 2e-3, 2e-4, 0.5, 0
KMEANS = 10         # Lloyd's iterations for the control


def text(epochs: int, digits: int) -> str:
    """The recipe as text, for the record."""
    return (
        f"latent codes uniform in (−1, 1); G with batch norm, ReLU, a sigmoid; D "
        f"784-{DISCRIMINATOR}-{DISCRIMINATOR}-1 with leaky ReLU and dropout of {DROPOUT:g}; the weights "
        f"next to pixels start from N(0, {small_pixel_init.keywords['std']:g}²); non-saturating loss; Adam, "
        f"betas (0.5, 0.999), on cosines from {RATE:g} for G and from {DISCRIMINATOR_RATE:g} for D; "
        f"dropout, initial weights and rates were chosen in trials of 5 to 15 epochs by the same measure on "
        f"the last 6,000 training digits, which the trials left out; batch {BATCH}, "
        f"{epochs} epochs of {digits:,} digits; float32, seed {SEED}"
    )


def build(digits: Digits, epochs: int) -> Trainer:
    """The run on the training digits that are not held out: model, batches, schedules and seed."""
    x, _ = quality.split(digits)
    rng = np.random.default_rng(SEED)
    net_args: dict[str, Any] = {"pixel_init": small_pixel_init, "rng": rng}
    generator = dense_generator(CODE, (GENERATOR, GENERATOR), x.shape[1], **net_args)
    discriminator = dense_critic(x.shape[1], (DISCRIMINATOR, DISCRIMINATOR), dropout=DROPOUT, **net_args)
    return GAN(generator, discriminator, code=CODE, noise="uniform").trainer(
        x,
        epochs=epochs,
        batch_size=BATCH,
        lr=Cosine(RATE),
        discriminator_lr=Cosine(DISCRIMINATOR_RATE),
        betas=(0.5, 0.999),
        rng=rng,
    )


def controls(train: np.ndarray, held_out: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """The same measure for training digits and for k-means centroids in place of samples."""
    rng = np.random.default_rng(SEED)
    n = min(quality.SAMPLES, len(train) // 2)
    true = train[rng.choice(len(train), n, replace=False)]
    print(f"k-means: {n:,} centroids of {len(train):,} digits, at most {KMEANS} iterations …")
    centroids = kmeans(train, n, rng=rng, iterations=KMEANS, centres=true)
    examples = {"true training digits": true, "k-means centroids": centroids}
    return {
        f"{n:,} {name} in place of samples": round(quality.parzen(points, held_out, test)[0], 2)
        for name, points in examples.items()
    }


def measure(trainer: Trainer, digits: Digits) -> Measurement:
    """The Parzen-window log-likelihood of the test set, its controls, and the quality of the samples."""
    (train, held_out), test = quality.split(digits), digits.x_test
    metrics, samples = quality.sample_metrics(digits), gans.Samples(trainer)

    def point() -> Point:
        return {"figure": quality.parzen(samples.average(), held_out, test)[0]}

    def finish(points: list[Point]) -> dict[str, Any]:
        averaged = samples.average()
        ours, error, sigma = quality.parzen(averaged, held_out, test)
        found = metrics.measure(averaged)
        sizes = f"{CODE}-{GENERATOR}-{GENERATOR}-784"
        return {
            "figure": (
                f"dense GAN {sizes}, {trainer.epochs} epochs: Parzen-window log p(x), "
                f"{quality.SAMPLES:,} samples"
            ),
            "ours": round(ours, 3),
            "recipe": (
                f"{text(trainer.epochs, len(train))}; {samples.note}; sigma {sigma:.3f}, the best of 25 on "
                f"the {len(held_out):,} training digits left out; the mean over the whole test set, standard "
                f"error {error:.1f}"
            ),
            "other_figures": {
                "the last weights in place of the averaged ones": round(
                    quality.parzen(samples.last(), held_out, test)[0], 2
                ),
                **controls(train, held_out, test),
                "Fréchet distance of its samples, classifier's features": round(found.frechet, 2),
                **quality.share_figures(found, metrics),
            },
            "details": quality.share_details(found),
        }

    return Measurement(point, finish)


RECIPE = Recipe(
    name="gan",
    title="Parzen-window log-likelihood of a dense GAN",
    unit="nats per image, higher is better",
    paper=225.0,
    source="Goodfellow et al. 2014, table 1",
    epochs=100,
    every=10,
    build=build,
    measure=measure,
)
