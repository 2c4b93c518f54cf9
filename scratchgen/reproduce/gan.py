"""The dense GAN on MNIST: the Parzen-window log-likelihood of the test set, and what that measure is worth.

Published: Goodfellow et al. 2014, "Generative adversarial nets", table 1: 225 ± 2 nats. Their protocol: a
Normal kernel on each of 10,000 samples, its width chosen on held-out digits, the mean over the test set. Here
the held-out digits also choose from how wide a range the codes are drawn, which the paper doesn't; the record
has both figures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scratchgen.data import Digits, load_digits
from scratchgen.judge import trained_judge
from scratchgen.layers import BatchNorm, Linear, ReLU, Sequential, Sigmoid
from scratchgen.metrics import choose_sigma, kmeans, parzen_log_likelihood
from scratchgen.models import GAN, AveragedGenerator
from scratchgen.models.gan_networks import dense_critic
from scratchgen.reproduce.games import SAMPLES, Court, Curve, beside, draw
from scratchgen.reproduce.record import Record, machine
from scratchgen.runs import expect_place, run_saved
from scratchgen.schedules import Cosine
from scratchgen.training import Trainer

CODE, GENERATOR, DISCRIMINATOR = 100, 1200, 512
EPOCHS, BATCH, RATE, DROPOUT, SEED = 200, 100, 2e-4, 0.3, 0
RECIPE = (
    f"noise uniform in (−1, 1); G with batch norm, ReLU, a sigmoid; D 784-{DISCRIMINATOR}-{DISCRIMINATOR}-1 "
    f"with leaky ReLU and dropout of {DROPOUT:g}; non-saturating loss; Adam, betas (0.5, 0.999), both on a "
    f"cosine from {RATE:g}; of six short trials the four without batch norm in G collapsed, at rates from "
    f"5e-5 to 5e-4, and with it a rate of 1e-3 for G did worse; 90 epochs on the same course gave 206.8"
)
HELD_OUT = 1000     # training digits, the last ones, that only choose sigma and the codes' spread
SPREADS = (1.0, 0.9, 0.8)
KMEANS = 10         # Lloyd's iterations for the control
EVERY = 15          # epochs between two points of the curve
RUN = Path("runs/reproduce-gan.safetensors")


def build(X: np.ndarray, epochs: int) -> tuple[GAN, Trainer]:
    """The game and its run, ready to go."""
    rng = np.random.default_rng(SEED)
    generator = Sequential(
        Linear(CODE, GENERATOR, rng=rng),
        BatchNorm(GENERATOR),
        ReLU(),
        Linear(GENERATOR, GENERATOR, rng=rng),
        BatchNorm(GENERATOR),
        ReLU(),
        Linear(GENERATOR, X.shape[1], rng=rng),
        Sigmoid(),
    )
    discriminator = dense_critic(X.shape[1], DISCRIMINATOR, dropout=DROPOUT, rng=rng)
    model = GAN(generator, discriminator, code=CODE, noise="uniform")
    rate = Cosine(RATE, epochs * (len(X) // BATCH))
    trainer = model.trainer(
        X, epochs=epochs, batch_size=BATCH, lr=rate, discriminator_lr=rate, betas=(0.5, 0.999), rng=rng
    )
    return model, trainer


def parzen(samples: np.ndarray, held_out: np.ndarray, test: np.ndarray) -> tuple[float, float, float]:
    """(mean log-likelihood of the test digits, its standard error, sigma)."""
    sigma = choose_sigma(held_out, samples)
    nats = parzen_log_likelihood(test, samples, sigma)
    return float(nats.mean()), float(nats.std() / np.sqrt(len(nats))), sigma


def draw_within(model: GAN, spread: float) -> np.ndarray:
    """Samples whose codes are as those of training, times `spread`."""
    z = model.draw_noise(SAMPLES, np.random.default_rng(SEED))
    return model.inverse_transform(np.float32(spread) * z)


def choose_spread(model: GAN, held_out: np.ndarray) -> float:
    """The spread of the codes that makes the held-out digits likeliest, each with its own best sigma.

    Codes from the middle are rarer in kind and better drawn (Brock et al. 2019, the truncation trick).
    """
    found = {spread: draw_within(model, spread) for spread in SPREADS}
    return max(SPREADS, key=lambda spread: parzen(found[spread], held_out, held_out)[0])


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
    """Train on 59,000 digits, choose sigma on the other 1,000, and measure on all 10,000 test digits."""
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
        with averaged.lent():
            return parzen(draw_within(model, choose_spread(model, held_out)), held_out, digits.x_test)[0]

    curve = Curve(figure, EVERY)
    trainer.callbacks += [averaged, curve]
    history = run_saved(trainer, RUN, resume=resume, config=config, every=EVERY)
    last = parzen(draw(model, SEED), held_out, digits.x_test)[0]
    with averaged.lent():
        spread = choose_spread(model, held_out)
        samples, narrow = draw(model, SEED), draw_within(model, spread)
    ours, error, sigma = parzen(narrow, held_out, digits.x_test)
    whole = parzen(samples, held_out, digits.x_test)[0]
    judged = court.measure(samples)
    return Record(
        name="gan",
        figure=(
            f"dense GAN 100-1200-1200-784, {epochs} epochs: Parzen-window log p(x), "
            f"{SAMPLES:,} samples of codes within ±{spread:g}"
        ),
        unit="nats per image, higher is better",
        paper=225.0,
        source="Goodfellow et al. 2014, table 1",
        ours=round(ours, 3),
        seconds=history.seconds,
        machine=machine(),
        recipe=(
            f"{RECIPE}; batch {BATCH}, {epochs} epochs of {len(train):,} digits; float32, seed {SEED}; "
            f"samples by the generator's averaged weights (decay {averaged.decay:g}), from codes in "
            f"(−{spread:g}, {spread:g}), the best of {SPREADS} on the {HELD_OUT:,} training digits left out, "
            f"as is sigma {sigma:.3f} of 25; the mean over the whole test set, standard error {error:.1f}; "
            f"the curve is of that same figure"
        ),
        curve=curve.points(),
        beside={
            "codes within ±1, as in training": round(whole, 2),
            "and the last weights in place of the averaged ones": round(last, 2),
            **controls(train, held_out, digits.x_test),
            "Fréchet distance of its samples, judge's features": round(judged.distance, 2),
            **beside(judged, court),
        },
        details=judged.details,
    )
