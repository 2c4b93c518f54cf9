"""How each pretrained model is trained: networks, schedule, batches and seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.data import Digits, Jitter, two_moons
from scratchgen.models import (
    VAE,
    Autoencoder,
    ConditionalGAN,
    ConditionalVAE,
    ConvClassifier,
    Diffusion,
    FlowMatching,
    RealNVP,
)
from scratchgen.models.gan.average import AveragedGenerator
from scratchgen.studies.pretrained import figures
from scratchgen.training import AveragedWeights, Cosine, OneCycle, load

SEED = 0
CODE = 24           # numbers in a code of the autoencoder, on which the flow and flow matching work
POINTS = 20_000     # of the two moons


@dataclass(frozen=True)
class Recipe:
    """A pretrained model: how it is trained, and what is measured afterwards.

    title : one line that says what the model is
    text : the recipe as a sentence, with {epochs}
    epochs : of training
    train : (digits, epochs) -> the trained model
    figures : model -> what is measured, by name; the values are measured on the saved file
    use : what the model is for, and what it does not do well
    uses_digits : whether it is trained on digits
    """

    title: str
    text: str
    epochs: int
    train: Callable[[Digits, int], Any]
    figures: Callable[[Any], dict[str, float]]
    use: str
    uses_digits: bool = True


def keep_average(model: Any, averaged: AveragedWeights) -> None:
    """Give a model its averaged weights, with the statistics of batch norm that belong to them."""
    arrays = {name: p.value for name, p in model.parameters().items()} | model.buffers()
    with averaged.applied():
        average = {name: array.copy() for name, array in arrays.items()}
    for name, array in arrays.items():
        array[...] = average[name]


def vae_2d(digits: Digits, epochs: int) -> VAE:
    rng = np.random.default_rng(SEED)
    model = VAE.dense((784, 200, 100, 2), rng=rng)
    return model.fit(digits.x_train, epochs=epochs, batch_size=128, lr=OneCycle(4e-3), rng=rng)


def vae_20(digits: Digits, epochs: int) -> VAE:
    rng = np.random.default_rng(SEED)
    model = VAE.dense((784, 200, 20), rng=rng)
    return model.fit(digits.x_train, epochs=epochs, batch_size=128, lr=OneCycle(4e-3), rng=rng)


def cvae(digits: Digits, epochs: int) -> ConditionalVAE:
    rng = np.random.default_rng(SEED)
    model = ConditionalVAE.dense((784, 200, 100, 6), rng=rng)
    return model.fit(
        digits.x_train, digits.y_train, epochs=epochs, batch_size=128, lr=OneCycle(4e-3), rng=rng
    )


def cgan(digits: Digits, epochs: int) -> ConditionalGAN:
    rng = np.random.default_rng(SEED)
    model = ConditionalGAN.convolutional(16, (8, 16), hidden=96, projection=True, rng=rng)
    averaged = AveragedGenerator(model, 0.999)
    model.fit(
        digits.x_train, digits.y_train, epochs=epochs, batch_size=64, lr=Cosine(2e-3),
        discriminator_lr=Cosine(2e-4), rng=rng, callbacks=[averaged],
    )  # fmt: skip
    keep_average(model, averaged)
    return model


def autoencoder(digits: Digits, epochs: int) -> Autoencoder:
    rng = np.random.default_rng(SEED)
    model = Autoencoder.convolutional(CODE, (16, 32), rng=rng)
    return model.fit(digits.x_train, epochs=epochs, batch_size=128, lr=OneCycle(4e-3), rng=rng)


def realnvp_codes(digits: Digits, epochs: int) -> RealNVP:
    rng = np.random.default_rng(SEED)
    model = RealNVP.dense(CODE, (96, 96), 8, rng=rng)
    averaged = AveragedWeights(0.999)
    codes = load("autoencoder").transform(digits.x_train)
    model.fit(codes, epochs=epochs, batch_size=256, lr=Cosine(2e-3), rng=rng, callbacks=[averaged])
    keep_average(model, averaged)
    return model


def flow_matching_codes(digits: Digits, epochs: int) -> FlowMatching:
    rng = np.random.default_rng(SEED)
    model = FlowMatching.dense(CODE, 192, 3, classes=10, times="logit-normal", rng=rng)
    averaged = AveragedWeights(0.9995)
    codes = load("autoencoder").transform(digits.x_train)
    model.fit(
        codes, digits.y_train, epochs=epochs, batch_size=256, lr=Cosine(2e-3), rng=rng, callbacks=[averaged]
    )
    keep_average(model, averaged)
    return model


def moons_diffusion(digits: Digits, epochs: int) -> Diffusion:
    rng = np.random.default_rng(SEED)
    model = Diffusion.dense(2, 64, 3, steps=200, rng=rng)
    averaged = AveragedWeights(0.999)
    points = two_moons().sample(POINTS, rng=rng).astype(np.float32)
    model.fit(points, epochs=epochs, batch_size=256, lr=Cosine(3e-3), rng=rng, callbacks=[averaged])
    keep_average(model, averaged)
    return model


def digit_classifier(digits: Digits, epochs: int) -> ConvClassifier:
    rng = np.random.default_rng(SEED)
    model = ConvClassifier((8, 16, 32), (32,), rng=rng)
    return model.fit(
        digits.x_train, digits.y_train, epochs=epochs, batch_size=128, lr=OneCycle(3e-3), rng=rng,
        augment=Jitter(),
    )  # fmt: skip


ADAM = "Adam on a one-cycle schedule up to"
# In the order of building: the flow and flow matching need the autoencoder, and the figures the classifier.
RECIPES = {
    "digit-classifier": Recipe(
        "a convolutional classifier of digits",
        f"channels 8, 16, 32 and a hidden layer of 32; {ADAM} 0.003; batch 128; {{epochs}} epochs; digits "
        "moved by Jitter()",
        12, digit_classifier, figures.of_classifier,
        "It says which digit a picture shows, and measures the samples of the other models.",
    ),
    "autoencoder": Recipe(
        f"a convolutional autoencoder with codes of {CODE} numbers",
        f"channels 16, 32; {ADAM} 0.004; batch 128; {{epochs}} epochs",
        15, autoencoder, figures.of_autoencoder,
        "It turns a digit into a short code and back. realnvp-codes and flow-matching-codes are models of "
        "its codes: decode their samples with `inverse_transform`.",
    ),
    "vae-2d": Recipe(
        "a variational autoencoder with codes of two numbers",
        f"784-200-100-2 and back, SiLU; {ADAM} 0.004; batch 128; {{epochs}} epochs; pixels binarised anew in "
        "every epoch",
        45, vae_2d, figures.of_vae,
        "All of its codes can be shown in a plane. Two numbers are too few for a faithful reconstruction, "
        "and 4 and 9 overlap.",
    ),
    "vae-20": Recipe(
        "a variational autoencoder with codes of 20 numbers",
        f"784-200-20 and back, SiLU; {ADAM} 0.004; batch 128; {{epochs}} epochs; pixels binarised anew in "
        "every epoch",
        20, vae_20, figures.of_vae,
        "Reconstructions are good. Some codes from N(0, I) decode to pictures between two digits.",
    ),
    "cvae": Recipe(
        "a conditional variational autoencoder: the digit is chosen, a code of 6 numbers has the style",
        f"784-200-100-6 and back with the label, SiLU; {ADAM} 0.004; batch 128; {{epochs}} epochs; pixels "
        "binarised anew in every epoch",
        25, cvae, figures.of_cvae,
        "It generates the digit that it is asked for, in many styles.",
    ),
    "cgan": Recipe(
        "a conditional GAN with convolutions",
        "code 16, channels 8, 16, hidden layers of 96, projection discriminator; Adam, learning rates 0.002 "
        "(generator) and 0.0002 on a cosine; batch 64; {epochs} epochs; averaged generator (decay 0.999)",
        10, cgan, figures.of_cgan,
        "It generates sharp digits of the class that it is asked for. It has no likelihood and no encoder.",
    ),
    "realnvp-codes": Recipe(
        "a RealNVP flow of the codes of the pretrained autoencoder",
        "8 couplings with hidden layers of 96, 96; Adam on a cosine from 0.002; batch 256; {epochs} epochs; "
        "averaged weights (decay 0.999)",
        30, realnvp_codes, figures.of_flow,
        "It maps a code to independent Normal numbers and back without loss. Its log p(x) is the density of "
        "codes, not of pixels.",
    ),
    "flow-matching-codes": Recipe(
        "flow matching of the codes of the pretrained autoencoder, with classes",
        "residual net of 3 blocks of 192; logit-normal times; label dropout 0.1; Adam on a cosine from "
        "0.002; batch 256; {epochs} epochs; averaged weights (decay 0.9995)",
        60, flow_matching_codes, figures.of_flow_matching,
        "It carries noise to the code of a digit that is asked for, with or without guidance.",
    ),
    "moons-diffusion": Recipe(
        "a diffusion of two moons in the plane",
        f"residual net of 3 blocks of 64; 200 steps, cosine schedule, predicts v; {POINTS:,} points; Adam on "
        "a cosine from 0.003; batch 256; {epochs} epochs; averaged weights (decay 0.999)",
        40, moons_diffusion, figures.of_moons,
        "It is small enough to draw every step and every score.",
        uses_digits=False,
    ),
}  # fmt: skip
