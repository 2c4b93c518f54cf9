"""Small models of every exportable kind, and layers, with weights and statistics as after training."""

from typing import Any

import numpy as np

from scratchgen import layers as L
from scratchgen.export import parts
from scratchgen.layers.masked import raster_mask
from scratchgen.models import (
    DCGAN,
    GAN,
    MADE,
    NICE,
    VAE,
    WGAN,
    Autoencoder,
    ConditionalGAN,
    ConvClassifier,
    LinearSVM,
    LogisticRegression,
    MLPClassifier,
    NormalPixels,
    RealNVP,
)
from scratchgen.models.flow.model import Flow
from scratchgen.models.networks import ScaledSigmoid

IMAGE = {"shape": (9, 10, 3)}       # odd sizes and colours: no axis can be confused with another

MODELS = {
    "autoencoder": lambda: Autoencoder.dense(features=11, hidden=7, code=3, output_range=(-2, 3), rng=0),
    "convolutional autoencoder": lambda: Autoencoder.convolutional(5, (4, 6), **IMAGE, rng=0),
    "vae": lambda: VAE.dense(features=11, hidden=7, code=3, rng=0),
    "convolutional vae": lambda: VAE.convolutional(5, (4, 6), **IMAGE, observation=NormalPixels(), rng=0),
    "gan": lambda: GAN.dense(code=4, hidden=8, features=11, dropout=0.3, rng=0),
    "dcgan": lambda: DCGAN(code=4, channels=(4, 6), **IMAGE, rng=0),
    "dcgan with hidden layers": lambda: DCGAN(code=4, channels=(4, 6), hidden=9, **IMAGE, rng=0),
    "gan with spectral norm": lambda: GAN.dense(code=4, hidden=8, features=11, spectral_norm=True, rng=0),
    "dcgan with spectral norm": lambda: DCGAN(code=4, channels=(4, 6), **IMAGE, spectral_norm=True, rng=0),
    "conditional gan": lambda: ConditionalGAN.dense(code=4, hidden=8, features=11, classes=3, rng=0),
    "wgan": lambda: WGAN.convolutional(code=4, channels=(4, 6), **IMAGE, rng=0),
    "mlp": lambda: MLPClassifier(features=11, hidden=(8, 7), classes=4, rng=0),
    "convolutional classifier": lambda: ConvClassifier((3, 4, 5), 9, 4, **IMAGE, rng=0),
    "logistic regression": lambda: LogisticRegression(11, 4),
    "svm": lambda: LinearSVM(11, 4),
    "nice": lambda: NICE.dense(9, (8, 8), rng=0),
    "real nvp": lambda: RealNVP.dense(9, (8,), couplings=4, rng=0),
    "convolutional real nvp": lambda: RealNVP.convolutional((6, 8, 3), 8, couplings=2, rng=0),
    "made": lambda: MADE(9, (12, 10), rng=0),
    "made with two orderings": lambda: MADE(9, 12, orderings=2, rng=0),
}

# A network for every layer that the models above do not contain, and the shape of its input.
NETWORKS = {
    "activations": (
        lambda: L.Sequential(
            L.Linear(6, 8, rng=0), L.GELU(), L.Linear(8, 8, rng=1), L.ELU(0.7), L.Linear(8, 8, rng=2),
            L.Tanh(), L.LayerNorm(8), L.Linear(8, 8, rng=3), L.Softplus(), L.GroupNorm(2, 8),
            L.LeakyReLU(0.3), L.Linear(8, 3, rng=4), ScaledSigmoid(-1, 4),
        ),
        (6,),
    ),
    "images": (
        lambda: L.Sequential(
            L.Conv2d(3, 4, (2, 3), stride=(1, 2), padding=1, rng=0), L.GroupNorm(2, 4), L.ReLU(),
            L.AvgPool2d((3, 2), 2, 1), L.Upsample(3), L.MaxPool2d(3, 2, 1),
            L.MaskedConv2d(4, 5, raster_mask((3, 3), centre=True), padding=1, rng=1), L.BatchNorm(5),
            L.Sequential(L.Softplus(), L.ConvTranspose2d(5, 2, 3, (2, 1), 1, (1, 0), bias=False, rng=2)),
        ),
        (9, 10, 3),
    ),
    "sequences": (
        lambda: L.Sequential(
            L.Linear(4, 5, rng=0), L.LayerNorm(5), L.SiLU(), L.Linear(5, 4, bias=False, rng=1),
            L.Flatten(), L.Reshape(2, 3, 4), L.Reshape(4, 2, 3), L.Reshape(3, 8), L.Dropout(0.5, rng=0),
        ),
        (6, 4),
    ),
    "squeeze": (lambda: L.Sequential(L.Scaling(4, 6, 2), L.Squeeze()), (4, 6, 2)),
}  # fmt: skip


def trained(model: Any, rng: np.random.Generator) -> Any:
    """The model with random changes of all weights and running statistics."""
    for parameter in model.parameters().values():
        parameter.value += 0.2 * rng.standard_normal(parameter.shape).astype(parameter.dtype)
    for name, buffer in model.buffers().items():
        if "running" in name:
            buffer += rng.random(buffer.shape).astype(buffer.dtype)
    return model


def exportable(rng: np.random.Generator) -> list[tuple[str, Any, str, Any]]:
    """(name, model, name of the part, part) for all parts of all models and networks."""
    found = []
    for name, build in MODELS.items():
        model = trained(build(), rng)
        found += [(name, model, part, each) for part, each in parts(model).items()]
    for name, (build, shape) in NETWORKS.items():
        net = trained(build(), rng)
        found.append((name, net, "network", parts(net, shape=shape)["network"]))
    return found


def unit(model: Any, out: np.ndarray) -> float:
    """What differences are measured in: 1, or the largest output of a flow, whose scales are exponentials."""
    return max(1.0, float(np.abs(out).max())) if isinstance(model, Flow) else 1.0
