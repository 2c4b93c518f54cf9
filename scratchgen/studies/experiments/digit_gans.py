"""Observe GANs of digits during training: images of fixed codes, and measures by a classifier."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scratchgen.metrics import frechet_distance, nearest_distance
from scratchgen.models import DCGAN, GAN, MLPClassifier
from scratchgen.models.gan.networks import small_pixel_init
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.schedules import Cosine

BATCH = 64
WINDOW = 50     # updates over which D(x) and D(G(z)) are averaged


class Moment(NamedTuple):
    """A GAN at a moment of its training."""

    shown: int              # real digits that D has seen
    d_real: float
    d_fake: float
    images: np.ndarray      # G of the fixed codes, (N, 784)


class AtMoments(Callback):
    """Calls `on_moment(trainer)` after given fractions of all updates; the last fraction is 1."""

    def __init__(self, shares: tuple[float, ...]):
        self.shares = shares

    def on_start(self, trainer: Trainer) -> None:
        total = trainer.epochs * len(trainer.batches)
        self.steps = {max(1, round(share * total)) for share in self.shares}

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.step in self.steps:
            self.on_moment(trainer)

    def on_moment(self, trainer: Trainer) -> None:
        raise NotImplementedError


class Watch(AtMoments):
    """Stores G's images of the same codes (N, K) at given moments."""

    def __init__(self, model: GAN, codes: np.ndarray, shares: tuple[float, ...]):
        super().__init__(shares)
        self.model, self.codes = model, codes
        self.moments: list[Moment] = []

    def on_moment(self, trainer: Trainer) -> None:
        steps = trainer.history.steps
        d_real, d_fake = (float(np.mean(steps[name][-WINDOW:])) for name in ("d_real", "d_fake"))
        shown = trainer.step * trainer.batches.batch_size
        self.moments.append(Moment(shown, d_real, d_fake, self.model.inverse_transform(self.codes)))


class ImageMeasures:
    """Measures of images by a classifier trained on real digits x_train, against unseen digits x_test."""

    def __init__(self, classifier: MLPClassifier, x_test: np.ndarray, x_train: np.ndarray):
        self.classifier, self.x_train = classifier, x_train
        self.features = classifier.features(x_test)
        self.very_near = np.quantile(nearest_distance(x_test, x_train), 0.01)   # of 1 in 100 unseen digits

    def sure(self, images: np.ndarray) -> float:
        """How sure the classifier is: the largest of the ten probabilities, averaged over the images."""
        return float(self.classifier.predict_proba(images).max(axis=1).mean())

    def measure(self, images: np.ndarray) -> dict[str, float]:
        """How sure the classifier is, the Fréchet distance, and distances to the nearest training digits.

        "very near" is the share of images that are nearer to a training digit than 99 % of unseen digits are.
        """
        near = nearest_distance(images[:1000], self.x_train)
        return {
            "sure": self.sure(images),
            "Fréchet": frechet_distance(self.classifier.features(images), self.features),
            "nearest": float(np.median(near)),
            "very near": float((near < self.very_near).mean()),
        }


def fit(
    model: GAN,
    x: np.ndarray,
    shown: int,
    lr: float,
    discriminator_lr: float,
    rng: np.random.Generator,
    *callbacks: Callback,
) -> None:
    """Train on about `shown` digits, with both learning rates falling to 0 on a cosine."""
    model.fit(
        x, epochs=max(1, round(shown / len(x))), batch_size=BATCH, lr=Cosine(lr), rng=rng,
        discriminator_lr=Cosine(discriminator_lr), callbacks=[ProgressBar(), *callbacks],
    )  # fmt: skip


def dense_gan(x: np.ndarray, rng: np.random.Generator) -> GAN:
    """The library's dense GAN, which generates the mean digit at the start.

    G's last bias is the logit of the mean digit, so the background is black from the start. The weights next
    to pixels start near 0, so that both networks learn them from the first step on instead of keeping initial
    noise: see docs/gan.md, section 12.
    """
    model = GAN.dense(64, (400, 400), dropout=0.6, pixel_init=small_pixel_init, rng=rng)
    mean = np.clip(x.mean(axis=0), 0.01, 0.99)
    model.generator.parameters()["6.bias"].value[...] = np.log(mean / (1 - mean))
    return model


def dcgan(x: np.ndarray, rng: np.random.Generator) -> GAN:
    """The library's DCGAN, with a dense hidden layer in each network that depends on the whole image."""
    return DCGAN(32, (32, 64), hidden=256, rng=rng)


def arc(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The point at fraction t of the way from a to b, (N, K) each, with a nearly constant length."""
    return (np.cos(t * np.pi / 2) * a + np.sin(t * np.pi / 2) * b).astype(a.dtype)
