"""Compare how discriminators rate one wrong pixel and six pixels that thicken a stroke.

Every digit is damaged in three ways, chosen without a discriminator:

    speck   one pixel set to 1 on the background, two pixels or more from the stroke       squared error 1
    hole    one pixel in the middle of the stroke set to 0                                 about 1
    swell   six adjacent pixels on the edge of the stroke, each raised by a half           1.5
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.data import Batches
from scratchgen.layers import BatchNorm, Dropout, Layer, LeakyReLU, Linear, Sequential, Sigmoid
from scratchgen.losses import bce_with_logits
from scratchgen.models import DCGAN, GAN, WGAN
from scratchgen.studies.experiments.digit_gans import BATCH, AtMoments
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import Trainer
from scratchgen.training.optimisers import Adam

MOMENTS = (0.01, 0.04, 0.15, 0.4, 1.0)  # fractions of the training after which D is tested
REPLACED = 0.005                        # share of pixels that are replaced by noise: four of 784
INSIDE = slice(4, 24)                   # the box that the digits are written in
NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


class Damaged(NamedTuple):
    """Digits with room for all three kinds of damage, intact and damaged, (N, 784) each; labels (N,)."""

    intact: np.ndarray
    speck: np.ndarray
    hole: np.ndarray
    swell: np.ndarray
    label: np.ndarray


class Verdict(NamedTuple):
    """Shares of the digits for which a discriminator has a lower logit for the first of two images."""

    shown: int              # real digits that D has seen
    speck: float            # speck below swell
    speck_of_2s: float      # the same, of the 2s alone
    hole: float             # hole below swell
    speck_below: float      # speck below the intact digit
    swell_below: float      # swell below the intact digit
    isolated: float         # generated digits with an isolated bright pixel


def damage(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Damaged:
    """Damage every digit in three ways; digits without room for one of them are left out."""
    kept = []
    for flat, label in zip(x, y, strict=True):
        image = flat.reshape(28, 28)
        beside = np.stack([shifted(image, i, j) for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1))])
        box = np.zeros((28, 28), bool)
        box[INSIDE, INSIDE] = True
        near = np.max([shifted(image, i, j) for i in range(-2, 3) for j in range(-2, 3)], axis=0)
        empty = np.argwhere(box & (near == 0))
        edge = np.argwhere((image < 0.5) & (beside.max(axis=0) > 0.75))
        if len(empty) and len(edge) >= 6:
            speck, hole, swell = image.copy(), image.copy(), image.copy()
            speck[tuple(rng.choice(empty))] = 1
            hole[np.unravel_index((beside.min(axis=0) + image).argmax(), image.shape)] = 0
            start = rng.choice(edge)
            six = edge[((edge - start) ** 2).sum(axis=1).argsort(kind="stable")[:6]]
            swell[six[:, 0], six[:, 1]] += 0.5
            kept.append((image, speck, hole, swell, label))
    intact, speck, hole, swell = (np.stack([k[i].reshape(784) for k in kept]) for i in range(4))
    return Damaged(intact, speck, hole, swell, np.array([k[4] for k in kept]))


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images (..., 28, 28) moved down and to the right by at most two pixels, and padded with 0."""
    pad = [(0, 0)] * (image.ndim - 2) + [(2, 2), (2, 2)]
    return np.pad(image, pad)[..., 2 - down : 30 - down, 2 - right : 30 - right]


def isolated(images: np.ndarray) -> np.ndarray:
    """Whether some pixel is brighter by a quarter than all eight around it: (N, 784) -> (N,)."""
    square = images.reshape(-1, 28, 28)
    around = np.max([shifted(square, i, j) for i, j in NEIGHBOURS], axis=0)
    return (square - around).max(axis=(1, 2)) > 0.25


def compare_logits(net: Layer, damaged: Damaged, shown: int, generated: np.ndarray) -> Verdict:
    """Compare the logits of D; they differ even where D(x) rounds to 1."""
    intact, speck, hole, swell = (net.forward(part)[0][:, 0] for part in damaged[:4])
    twos = damaged.label == 2
    less = speck < swell, (speck < swell)[twos], hole < swell, speck < intact, swell < intact
    shares = (*(np.mean(part) for part in less), isolated(generated).mean())
    return Verdict(shown, *map(float, shares))


class CompareLogits(AtMoments):
    """Compares D's logits at some moments of its training."""

    def __init__(self, model: GAN, damaged: Damaged, seed: int):
        super().__init__(MOMENTS)
        self.model, self.damaged = model, damaged
        self.codes = model.prior_sample(1000, rng=seed)
        self.verdicts: list[Verdict] = []

    def on_moment(self, trainer: Trainer) -> None:
        generated = self.model.inverse_transform(self.codes)
        shown = trainer.step * trainer.batches.batch_size
        self.verdicts.append(compare_logits(self.model.discriminator, self.damaged, shown, generated))


def dense_gan(rng: np.random.Generator) -> GAN:
    """G 64-128-256-784 with batch norm, D 784-256-128-1 with dropout."""
    generator: list[Layer] = []
    for fan_in, fan_out in ((64, 128), (128, 256)):
        generator += [Linear(fan_in, fan_out, bias=False, rng=rng), BatchNorm(fan_out), LeakyReLU(0.2)]
    discriminator: list[Layer] = []
    for fan_in, fan_out in ((784, 256), (256, 128)):
        discriminator += [Linear(fan_in, fan_out, rng=rng), LeakyReLU(0.2), Dropout(0.3, rng=rng)]
    nets = (
        Sequential(*generator, Linear(256, 784, rng=rng), Sigmoid()),
        Sequential(*discriminator, Linear(128, 1, rng=rng)),
    )
    return GAN(*nets, code=64)


class DenoisingDCGAN(DCGAN):
    """A DCGAN whose D also learns, after every round, to tell digits from the same digits with noise."""

    def train_step(self, batch: Any, optimizer: Any, rng: np.random.Generator) -> dict[str, float]:
        values = super().train_step(batch, optimizer, rng)
        tell_apart(self.discriminator, optimizer["discriminator"], batch[0], rng)
        return values


class Game(NamedTuple):
    """How a GAN is built and trained. share : its number of digits, relative to a DCGAN's."""

    build: Callable[[np.random.Generator], GAN]
    lr: float
    discriminator_lr: float
    share: float


GAMES = {
    "dense GAN": Game(dense_gan, 5e-4, 5e-4, 2.0),
    "DCGAN": Game(lambda rng: DCGAN(32, (16, 32), rng=rng), 1e-3, 5e-4, 1.0),
    "WGAN-GP": Game(lambda rng: WGAN.dense(32, (256, 256), penalty=10.0, k=3, rng=rng), 5e-4, 5e-4, 1.5),
    "DCGAN, noise": Game(lambda rng: DenoisingDCGAN(32, (16, 32), rng=rng), 1e-3, 5e-4, 1.0),
}


def train(game: Game, x: np.ndarray, damaged: Damaged, shown: int, seed: int = 1) -> list[Verdict]:
    """Train a GAN on digits x, and test its D at MOMENTS. shown : digits that a DCGAN would see."""
    rng = np.random.default_rng(seed)
    model = game.build(rng)
    verdicts = CompareLogits(model, damaged, seed)
    model.fit(
        x, epochs=max(1, round(game.share * shown / len(x))), batch_size=BATCH, lr=game.lr,
        discriminator_lr=game.discriminator_lr, rng=rng, callbacks=[ProgressBar(), verdicts],
    )  # fmt: skip
    return verdicts.verdicts


def noise_only(x: np.ndarray, damaged: Damaged, shown: int, seed: int = 1) -> Verdict:
    """Train a D of the same form on digits and noisy digits only, without generated images."""
    rng = np.random.default_rng(seed)
    net = DCGAN(32, (16, 32), rng=rng).discriminator
    optimizer = Adam(net.parameters(), 5e-4, (0.5, 0.999))
    epochs = max(1, round(shown / len(x)))
    for _ in range(epochs):
        for (batch,) in Batches(x, batch_size=BATCH, rng=rng, drop_last=True):
            tell_apart(net, optimizer, batch, rng)
    return compare_logits(net, damaged, epochs * len(x), add_noise(damaged.intact, rng))


def tell_apart(net: Layer, optimizer: Adam, real: np.ndarray, rng: np.random.Generator) -> None:
    """Make one update of D on real digits and on the same digits with noise."""
    optimizer.zero_grad()
    for x, target in ((real, 1), (add_noise(real, rng), 0)):
        logits, cache = net.forward(x, training=True)
        _, dlogits = bce_with_logits(logits, np.full_like(logits, target))
        net.backward(dlogits, cache, input_grad=False)
    optimizer.step()


def add_noise(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Digits with a few pixels anywhere replaced by uniform noise."""
    return np.where(rng.random(x.shape) < REPLACED, rng.random(x.shape), x).astype(x.dtype)
