"""The dense GAN on MNIST: the Parzen-window log-likelihood of the test set, and what that measure is worth.

Published: Goodfellow et al. 2014, "Generative adversarial nets", table 1: 225 ± 2 nats. Their protocol: a
Normal kernel on each of 10,000 samples, its width chosen on held-out digits, the mean over the test set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data import Digits, load_digits
from scratchgen.metrics import choose_sigma, kmeans, parzen_log_likelihood
from scratchgen.models import GAN, AveragedGenerator
from scratchgen.models.gan.networks import dense_critic, dense_generator, small_pixel_init
from scratchgen.studies.digit_classifier import trained_judge
from scratchgen.studies.reproduce.games import SAMPLES, Court, Curve, beside, cosine_run, draw
from scratchgen.studies.reproduce.record import Record, machine
from scratchgen.training.loop import Trainer
from scratchgen.training.runs import expect_place, run_saved

CODE, GENERATOR, DISCRIMINATOR = 100, 1200, 512
EPOCHS, BATCH, RATE, DISCRIMINATOR_RATE, DROPOUT, SEED = 100, 100, 2e-3, 2e-4, 0.5, 0
RECIPE = (
    f"noise uniform in (−1, 1); G with batch norm, ReLU, a sigmoid; D 784-{DISCRIMINATOR}-{DISCRIMINATOR}-1 "
    f"with leaky ReLU and dropout of {DROPOUT:g}; the weights that touch pixels begin as N(0, "
    f"{small_pixel_init.keywords['std']:g}²); "
    f"non-saturating loss; Adam, betas (0.5, 0.999), on cosines from {RATE:g} for G and from "
    f"{DISCRIMINATOR_RATE:g} for D; dropout, start and rates were chosen in trials of 5 to 15 epochs by the "
    f"same measure on the last 6,000 training digits, which the trials left out"
)
HELD_OUT = 1000     # training digits, the last ones, that choose sigma
KMEANS = 10         # Lloyd's iterations for the control
EVERY = 10          # epochs between two points of the curve
RUN = Path("runs/reproduce-gan.safetensors")


def build(X: np.ndarray, epochs: int) -> tuple[GAN, Trainer]:
    """The game and its run, ready to go."""
    rng = np.random.default_rng(SEED)
    kind: dict[str, Any] = {"pixel_init": small_pixel_init, "rng": rng}
    generator = dense_generator(CODE, GENERATOR, X.shape[1], **kind)
    discriminator = dense_critic(X.shape[1], DISCRIMINATOR, dropout=DROPOUT, **kind)
    model = GAN(generator, discriminator, code=CODE, noise="uniform")
    rates = {"rate": RATE, "discriminator_rate": DISCRIMINATOR_RATE}
    return model, cosine_run(model, X, epochs=epochs, batch=BATCH, **rates, rng=rng)


def parzen(samples: np.ndarray, held_out: np.ndarray, test: np.ndarray) -> tuple[float, float, float]:
    """(mean log-likelihood of the test digits, its standard error, sigma)."""
    sigma = choose_sigma(held_out, samples)
    nats = parzen_log_likelihood(test, samples, sigma)
    return float(nats.mean()), float(nats.std() / np.sqrt(len(nats))), sigma


def controls(train: np.ndarray, held_out: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """The same measure for digits of the training set, and for the centroids of as many clusters of it."""
    rng = np.random.default_rng(SEED)
    n = min(SAMPLES, len(train) // 2)
    true = train[rng.choice(len(train), n, replace=False)]
    print(f"k-means: {n:,} centroids of {len(train):,} digits, at most {KMEANS} iterations …")
    centroids = kmeans(train, n, rng=rng, iterations=KMEANS, centres=true)
    return {
        f"{n:,} true training digits in place of samples": round(parzen(true, held_out, test)[0], 2),
        f"{n:,} k-means centroids in place of samples": round(parzen(centroids, held_out, test)[0], 2),
    }


def reproduce(epochs: int | None = None, resume: bool = False) -> Record:
    """Train on 59,000 digits, choose sigma on 1,000 others, and measure on all test digits."""
    epochs = epochs or EPOCHS
    config = {"run": "gan", "epochs": epochs}
    expect_place(RUN, resume=resume, config=config)
    digits: Digits = load_digits("full")
    print(digits.source)
    court = Court(trained_judge(digits), digits)
    train, held_out = digits.x_train[:-HELD_OUT], digits.x_train[-HELD_OUT:]
    model, trainer = build(train, epochs)
    averaged = AveragedGenerator(model)

    def figure() -> float:
        with averaged.applied():
            return parzen(draw(model, SEED), held_out, digits.x_test)[0]

    curve = Curve(figure, EVERY)
    trainer.callbacks += [averaged, curve]
    history = run_saved(trainer, RUN, resume=resume, config=config, every=EVERY)
    last = parzen(draw(model, SEED), held_out, digits.x_test)[0]
    with averaged.applied():
        samples = draw(model, SEED)
    ours, error, sigma = parzen(samples, held_out, digits.x_test)
    judged = court.measure(samples)
    return Record(
        name="gan",
        figure=f"dense GAN 100-1200-1200-784, {epochs} epochs: Parzen-window log p(x), {SAMPLES:,} samples",
        unit="nats per image, higher is better",
        paper=225.0,
        source="Goodfellow et al. 2014, table 1",
        ours=round(ours, 3),
        seconds=history.seconds,
        machine=machine(),
        recipe=(
            f"{RECIPE}; batch {BATCH}, {epochs} epochs of {len(train):,} digits; float32, seed {SEED}; "
            f"samples by the generator's averaged weights (decay {averaged.decay:g}); sigma {sigma:.3f}, the "
            f"best of 25 on the {HELD_OUT:,} training digits left out; the mean over the whole test set, "
            f"standard error {error:.1f}"
        ),
        curve=curve.points(),
        beside={
            "the last weights in place of the averaged ones": round(last, 2),
            **controls(train, held_out, digits.x_test),
            "Fréchet distance of its samples, judge's features": round(judged.distance, 2),
            **beside(judged, court),
        },
        details=judged.details,
    )
