"""Small models of every exportable kind, and layers, with weights and statistics as after training."""

from typing import Any

import numpy as np

from scratchgen import layers as L
from scratchgen.data.text import Alphabet
from scratchgen.export import Part, parts
from scratchgen.layers.masked import raster_mask
from scratchgen.models import (
    DCGAN,
    GAN,
    MADE,
    NICE,
    PCA,
    VAE,
    WGAN,
    Autoencoder,
    BernoulliNaiveBayes,
    CharacterModel,
    ClassPriorVAE,
    ConditionalGAN,
    ConditionalVAE,
    ConvClassifier,
    Diffusion,
    FlowMatching,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    InfoGAN,
    LinearSVM,
    LogisticRegression,
    MLPClassifier,
    NormalPixels,
    PixelCNN,
    RealNVP,
)
from scratchgen.models.flow.model import Flow
from scratchgen.models.networks import ScaledSigmoid

IMAGE = {"shape": (9, 10, 3)}       # odd sizes and colours: no axis can be confused with another

LABELS = np.arange(60) % 3
BITS = np.random.default_rng(2).integers(0, 2, (60, 5)).astype(np.float32)


def examples(features: int) -> np.ndarray:
    """Data in three classes, (60, D)."""
    rng = np.random.default_rng(1)
    scales, shifts = 1 + rng.random((3, features)), rng.standard_normal((3, features))
    x = rng.standard_normal((60, features)) * scales[LABELS] + shifts[LABELS]
    return x.astype(np.float32)


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
    "conditional gan with projection": lambda: ConditionalGAN.dense(
        code=4, hidden=8, features=11, classes=3, projection=True, spectral_norm=True, rng=0
    ),
    "convolutional conditional gan": lambda: ConditionalGAN.convolutional(
        code=4, channels=(4, 6), classes=3, **IMAGE, rng=0
    ),
    "convolutional conditional gan with projection": lambda: ConditionalGAN.convolutional(
        code=4, channels=(4, 6), classes=3, projection=True, **IMAGE, rng=0
    ),
    "info gan": lambda: InfoGAN.dense(
        code=9, hidden=8, features=11, categories=(3, 2), continuous=1, head=5, rng=0
    ),
    "convolutional info gan": lambda: InfoGAN.convolutional(
        code=9, channels=(4, 6), categories=(4,), continuous=2, head=5, **IMAGE, rng=0
    ),
    "wgan": lambda: WGAN.convolutional(code=4, channels=(4, 6), **IMAGE, rng=0),
    "mlp": lambda: MLPClassifier(features=11, hidden=(8, 7), classes=4, rng=0),
    "convolutional classifier": lambda: ConvClassifier((3, 4, 5), 9, 4, **IMAGE, rng=0),
    "conditional vae": lambda: ConditionalVAE.dense(features=11, hidden=7, code=3, classes=4, rng=0),
    "class prior vae": lambda: ClassPriorVAE.convolutional(3, (4, 6), classes=4, **IMAGE, rng=0),
    "pca": lambda: PCA(3).fit(examples(11) + 3),
    "gaussian naive bayes": lambda: GaussianNaiveBayes().fit(examples(5), LABELS),
    "bernoulli naive bayes": lambda: BernoulliNaiveBayes().fit(BITS, LABELS),
    "gaussian discriminant": lambda: GaussianDiscriminant().fit(examples(5), LABELS),
    "quadratic discriminant": lambda: GaussianDiscriminant(shared=False, shrinkage=0.1).fit(
        examples(5), LABELS
    ),
    "logistic regression": lambda: LogisticRegression(11, 4),
    "svm": lambda: LinearSVM(11, 4),
    "nice": lambda: NICE.dense(9, (8, 8), rng=0),
    "real nvp": lambda: RealNVP.dense(9, (8,), couplings=4, rng=0),
    "convolutional real nvp": lambda: RealNVP.convolutional((6, 8, 3), 8, couplings=2, rng=0),
    "made": lambda: MADE(9, (12, 10), rng=0),
    "made with two orderings": lambda: MADE(9, 12, orderings=2, rng=0),
    "made with classes": lambda: MADE(9, (12, 10), classes=3, rng=0),
    "pixelcnn": lambda: PixelCNN((5, 6), channels=4, layers=2, first=5, rng=0),
    "diffusion of tables": lambda: Diffusion.dense(features=3, hidden=8, blocks=2, embedding=8, rng=0),
    "diffusion of images": lambda: Diffusion.convolutional(
        (16, 32), shape=(8, 12, 3), attention=True, classes=3, embedding=8, rng=0
    ),
    "flow matching": lambda: FlowMatching.convolutional(
        (16, 16), shape=(8, 6, 1), squeeze=False, embedding=8, rng=0
    ),
    "transformer": lambda: CharacterModel(
        Alphabet("abcde"), window=6, features=8, heads=2, depth=2, rng=0
    ),
    "character lstm": lambda: CharacterModel(
        Alphabet("abcde"), window=6, features=8, depth=2, body="lstm", rng=0
    ),
    "character gru": lambda: CharacterModel(
        Alphabet("abcde"), window=6, features=8, depth=1, body="gru", weight_dropout=0.2, rng=0
    ),
    "transformer with rotary positions": lambda: CharacterModel(
        Alphabet("abcde"), window=6, features=8, heads=2, depth=1, rotary=True, rng=0
    ),
}

# The networks of a time, which are no layers.
TIME_NETWORKS = {
    "u-net": lambda: L.UNet(
        (8, 12, 2), (8, 16), attention=True, dropout=0.2, groups=4, embedding=8, rng=0
    ),
    "residual net": lambda: L.ResidualNet(5, 8, 2, classes=3, embedding=8, rng=0),
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
    "recurrent layers": (
        lambda: L.Sequential(L.RNN(3, 5, rng=0), L.GRU(5, 4, rng=1), L.LSTM(4, 3, rng=2)), (7, 3)
    ),
    "squeeze": (lambda: L.Sequential(L.Scaling(4, 6, 2), L.Squeeze()), (4, 6, 2)),
}  # fmt: skip


def trained(model: Any, rng: np.random.Generator) -> Any:
    """The model with random changes of all weights and running statistics."""
    if not hasattr(model, "parameters"):
        return model
    for parameter in model.parameters().values():
        parameter.value += 0.2 * rng.standard_normal(parameter.shape).astype(parameter.dtype)
    for name, buffer in model.buffers().items():
        if "running" in name:
            buffer += rng.random(buffer.shape).astype(buffer.dtype)
    return model


def exportable(rng: np.random.Generator) -> list[tuple[str, Any, str, Part]]:
    """(name, model, name of the part, part) for all parts of all models and networks."""
    found = []
    for name, build in (MODELS | TIME_NETWORKS).items():
        model = trained(build(), rng)
        found += [(name, model, part, each) for part, each in parts(model).items()]
    for name, (build, shape) in NETWORKS.items():
        net = trained(build(), rng)
        found.append((name, net, "network", parts(net, shape=shape)["network"]))
    return found


def inputs(part: Part, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random inputs of a part by name: numbers, times from 0 to 1, and labels."""
    return {
        value.name: rng.integers(0, value.labels, (n, *value.shape))
        if value.labels
        else rng.random((n, *value.shape)).astype(part.dtype)
        for value in part.inputs
    }


def unit(model: Any, out: np.ndarray) -> float:
    """What differences are measured in: 1, or the largest output of a flow, whose scales are exponentials."""
    return max(1.0, float(np.abs(out).max())) if isinstance(model, Flow) else 1.0
