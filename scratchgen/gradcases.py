"""What `scratchgen gradcheck` checks: every layer, loss and model, in the forms in which it may go wrong.

A new layer is a new line below; a test complains until it has one. Shapes are odd and not square, so that a
transposed product can't go unnoticed. The first word of a case's name is the name of what it checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scratchgen import losses
from scratchgen.contract import check_contract
from scratchgen.differences import Result
from scratchgen.gamecases import GAMES, GameCase
from scratchgen.gradcheck import (
    KINKED,
    SMOOTH,
    Loss,
    check_jvp,
    check_layer,
    check_loss,
    check_model,
    has_jvp,
    with_upstream,
)
from scratchgen.layers import (
    ELU,
    GELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from scratchgen.models import VAE, Autoencoder, ClassPriorVAE, ConditionalVAE, MLPClassifier, NormalPixels

Build = Callable[[np.random.Generator, Any], Any]   # (rng, dtype) -> layer or model


@dataclass(frozen=True)
class LayerCase:
    """A layer, the shape of its input, and the mode it runs in; `smooth` is False where it has kinks."""

    name: str
    build: Build
    shape: tuple[int, ...]
    training: bool = False
    smooth: bool = True

    def make(self, dtype: Any = np.float64) -> tuple[Layer, np.ndarray, np.random.Generator]:
        """The layer, its input, and the generator for what follows; the same numbers each time."""
        rng = np.random.default_rng(20)
        layer: Layer = self.build(rng, dtype)
        for p in layer.parameters().values():   # away from the 0 and the 1 that biases and scales start with
            p.value += (0.3 * rng.standard_normal(p.shape)).astype(dtype)
        x = rng.standard_normal(self.shape)
        x = (x if self.smooth else x + 0.1 * np.sign(x)).astype(dtype)
        if layer.buffers():                     # running statistics too
            layer.forward(x, training=True)
        return layer, x, rng

    def run(self) -> list[Result]:
        """The gradients entry by entry, alone and behind a Linear; the adjoint test; the contract."""
        layer, x, rng = self.make()
        how: dict[str, Any] = {"rng": rng, "training": self.training}
        tolerance = SMOOTH if self.smooth else KINKED
        results = check_layer(layer, x, tolerance=tolerance, **how)
        behind = check_layer(*with_upstream(layer, x, rng=rng), tolerance=tolerance, **how)
        results += [replace(r, what=f"behind a Linear: {r.what}") for r in behind]
        if has_jvp(layer):
            results.append(check_jvp(layer, x, **how))
        return results + check_contract(layer, x, **how)


@dataclass(frozen=True)
class LossCase:
    """A loss and how its target is drawn: (rng, shape of the prediction) -> target."""

    name: str
    loss: Loss
    target: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    smooth: bool = True
    shape: tuple[int, ...] = (7, 5)

    def run(self) -> list[Result]:
        """The gradient with respect to the prediction, entry by entry."""
        rng = np.random.default_rng(20)
        pred = 2 * rng.standard_normal(self.shape)
        target = self.target(rng, self.shape)
        return check_loss(self.loss, pred, target, tolerance=SMOOTH if self.smooth else KINKED)


@dataclass(frozen=True)
class ModelCase:
    """A model, the shape of its data, which lies within [0, 1], and the number of its classes, if any."""

    name: str
    build: Build
    shape: tuple[int, ...]
    classes: int = 0
    smooth: bool = True

    def run(self) -> list[Result]:
        """The gradients along random lines, for each parameter array and for all together."""
        rng = np.random.default_rng(20)
        model, x = self.build(rng, np.float64), rng.uniform(size=self.shape)
        batch = (x, rng.integers(self.classes, size=len(x))) if self.classes else (x,)

        def loss() -> tuple[float, Any]:
            return model.loss(*batch, rng=np.random.default_rng(1), training=True)

        return check_model(model, loss, rng=rng, tolerance=SMOOTH if self.smooth else KINKED)


Case = LayerCase | LossCase | ModelCase | GameCase


def _mlp(rng: np.random.Generator, dtype: Any) -> Sequential:
    return Sequential(
        Linear(5, 4, rng=rng, dtype=dtype), Tanh(), Linear(4, 6, rng=rng, dtype=dtype), SiLU()
    )


def _conv_net(rng: np.random.Generator, dtype: Any) -> Sequential:
    return Sequential(
        Conv2d(2, 3, (3, 2), stride=2, rng=rng, dtype=dtype),
        BatchNorm(3, dtype=dtype),
        SiLU(),
        Flatten(),
        Linear(3 * 3 * 2, 2, rng=rng, dtype=dtype),
    )


def _class_prior_vae(rng: np.random.Generator, dtype: Any) -> ClassPriorVAE:
    model = ClassPriorVAE.dense((9, 7, 3), rng=rng, dtype=dtype, classes=4, beta=0.6)
    model.means.value[...] = rng.standard_normal(model.means.shape)     # at 0, mu would pass for mu − m_y
    return model


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(size=shape)


def _labels(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, shape[1], shape[0])


LAYERS = (
    LayerCase("Linear", lambda rng, dtype: Linear(5, 3, rng=rng, dtype=dtype), (7, 5)),
    LayerCase("Linear without bias", lambda rng, dtype: Linear(5, 3, False, rng=rng, dtype=dtype), (7, 5)),
    LayerCase("Linear on sequences", lambda rng, dtype: Linear(4, 3, rng=rng, dtype=dtype), (2, 3, 4)),
    LayerCase("Linear one row", lambda rng, dtype: Linear(5, 3, rng=rng, dtype=dtype), (1, 5)),
    LayerCase("Sequential dense", _mlp, (7, 5)),
    LayerCase("Sequential convolutional", _conv_net, (3, 7, 4, 2), training=True),
    LayerCase("ReLU", lambda rng, dtype: ReLU(), (7, 5), smooth=False),
    LayerCase("LeakyReLU", lambda rng, dtype: LeakyReLU(0.1), (7, 5), smooth=False),
    LayerCase("ELU", lambda rng, dtype: ELU(0.7), (7, 5), smooth=False),
    LayerCase("Sigmoid", lambda rng, dtype: Sigmoid(), (7, 5)),
    LayerCase("Tanh", lambda rng, dtype: Tanh(), (7, 5)),
    LayerCase("SiLU", lambda rng, dtype: SiLU(), (7, 5)),
    LayerCase("GELU", lambda rng, dtype: GELU(), (7, 5)),
    LayerCase("Softplus", lambda rng, dtype: Softplus(), (7, 5)),
    LayerCase("Conv2d", lambda rng, dtype: Conv2d(2, 3, 3, rng=rng, dtype=dtype), (2, 5, 4, 2)),
    LayerCase(
        "Conv2d kernel (3, 2) stride (2, 1), padded",
        lambda rng, dtype: Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), rng=rng, dtype=dtype),
        (2, 6, 3, 2),
    ),
    LayerCase(
        "Conv2d kernel 2 stride 3, no bias",
        lambda rng, dtype: Conv2d(1, 2, 2, stride=3, bias=False, rng=rng, dtype=dtype),
        (2, 7, 6, 1),
    ),
    LayerCase(
        "ConvTranspose2d", lambda rng, dtype: ConvTranspose2d(3, 2, 3, rng=rng, dtype=dtype), (2, 3, 4, 3)
    ),
    LayerCase(
        "ConvTranspose2d stride (2, 3), all paddings",
        lambda rng, dtype: ConvTranspose2d(
            3, 2, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), rng=rng, dtype=dtype
        ),
        (2, 3, 2, 3),
    ),
    LayerCase("MaxPool2d", lambda rng, dtype: MaxPool2d(2), (2, 5, 4, 3), smooth=False),
    LayerCase(
        "MaxPool2d (3, 2) overlapping, padded",
        lambda rng, dtype: MaxPool2d((3, 2), stride=(1, 2), padding=(1, 0)),
        (2, 5, 4, 2),
        smooth=False,
    ),
    LayerCase("AvgPool2d", lambda rng, dtype: AvgPool2d(2), (2, 5, 4, 3)),
    LayerCase(
        "AvgPool2d (3, 2) overlapping, padded",
        lambda rng, dtype: AvgPool2d((3, 2), stride=(1, 2), padding=(1, 0)),
        (2, 5, 4, 2),
    ),
    LayerCase("BatchNorm training", lambda rng, dtype: BatchNorm(5, dtype=dtype), (7, 5), training=True),
    LayerCase("BatchNorm evaluation", lambda rng, dtype: BatchNorm(5, dtype=dtype), (7, 5)),
    LayerCase(
        "BatchNorm images", lambda rng, dtype: BatchNorm(3, dtype=dtype), (2, 3, 4, 3), training=True
    ),
    LayerCase("LayerNorm", lambda rng, dtype: LayerNorm(5, dtype=dtype), (7, 5)),
    LayerCase("LayerNorm on sequences", lambda rng, dtype: LayerNorm(4, dtype=dtype), (2, 3, 4)),
    LayerCase("Dropout training", lambda rng, dtype: Dropout(0.4, rng=rng), (7, 5), training=True),
    LayerCase("Dropout evaluation", lambda rng, dtype: Dropout(0.4, rng=rng), (7, 5)),
    LayerCase("Reshape", lambda rng, dtype: Reshape(3, 2), (4, 6)),
    LayerCase("Flatten", lambda rng, dtype: Flatten(), (2, 3, 4, 2)),
)

LOSSES = (
    LossCase("squared_error", losses.squared_error, _normal),
    LossCase("squared_error images", losses.squared_error, _uniform, shape=(3, 2, 4, 1)),
    LossCase("absolute_error", losses.absolute_error, _normal, smooth=False),
    LossCase("bce_with_logits", losses.bce_with_logits, _uniform),
    LossCase("softmax_cross_entropy", losses.softmax_cross_entropy, _labels),
)

MODELS = (
    ModelCase(
        "Autoencoder dense",
        lambda rng, dtype: Autoencoder.dense((9, 7, 3), rng=rng, dtype=dtype),
        (5, 9),
    ),
    ModelCase(
        "Autoencoder convolutional",
        lambda rng, dtype: Autoencoder.convolutional(4, (2, 3), rng=rng, dtype=dtype),
        (3, 784),
    ),
    ModelCase(
        "VAE dense", lambda rng, dtype: VAE.dense((9, 7, 3), rng=rng, dtype=dtype, beta=0.6), (5, 9)
    ),
    ModelCase(
        "VAE dense, Normal pixels",
        lambda rng, dtype: VAE.dense((9, 7, 3), rng=rng, dtype=dtype, observation=NormalPixels(0.7)),
        (5, 9),
    ),
    ModelCase(  # 784 Bernoulli pixels add up to 540 nats, whose rounding would leave little of the 1e-8
        "VAE convolutional",
        lambda rng, dtype: VAE.convolutional(
            4, (2, 3), rng=rng, dtype=dtype, observation=NormalPixels(2)
        ),
        (3, 784),
    ),
    ModelCase(
        "ConditionalVAE",
        lambda rng, dtype: ConditionalVAE.dense((9, 7, 3), rng=rng, dtype=dtype, classes=4, beta=0.6),
        (5, 9),
        classes=4,
    ),
    ModelCase("ClassPriorVAE", _class_prior_vae, (5, 9), classes=4),
    ModelCase(
        "MLPClassifier",
        lambda rng, dtype: MLPClassifier((9, 7, 3), rng=rng, dtype=dtype),
        (5, 9),
        classes=3,
    ),
)

CASES: tuple[Case, ...] = (*LAYERS, *LOSSES, *MODELS, *GAMES)


def kind(case: Case) -> str:
    """The name of what a case checks: "Conv2d" for "Conv2d stride 2"."""
    return case.name.split()[0]


def worst(results: list[Result]) -> Result:
    """The result that says most: a failure first, then what differences measured, then the largest error."""
    return max(results, key=lambda r: (not r.ok, r.step > 0, r.error / r.tolerance))
