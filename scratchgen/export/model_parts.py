"""The parts of each model that can leave: networks that map one array to another.

A part is a Sequential that shares the model's parameters, so weights that are loaded into it are the model's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.checks import Array, as_image_shape, describe, expect_count
from scratchgen.layers import (
    Flatten,
    Layer,
    Linear,
    MaskedLinear,
    ReLU,
    Reshape,
    Scaling,
    Sequential,
    Sigmoid,
)
from scratchgen.layers.coupling import Bijection
from scratchgen.models import GAN, MADE, VAE, Autoencoder, Estimator
from scratchgen.models.classical.linear import LinearClassifier
from scratchgen.models.classical.nets import NetClassifier
from scratchgen.models.flow.model import Flow
from scratchgen.models.networks import input_width
from scratchgen.models.vae import ConditionalVAE


class NotExportable(TypeError):
    """A model, part or layer that cannot be exported; the message says why."""


@dataclass(frozen=True)
class Part:
    """A network that can be exported.

    name : of the part, such as "decoder"
    net : the network, which shares the parameters of the model
    shape : of one example of the input, as scratchgen takes it: (D,), (T, D) or (H, W, C)
    outputs : names of the outputs; two names stand for the two halves of the last axis
    method : the method of the model that computes the same, such as "transform"
    """

    name: str
    net: Sequential
    shape: tuple[int, ...]
    outputs: tuple[str, ...]
    method: str = "forward"


class Inverse(Layer):
    """The inverse of a bijection as a layer, for the way from z to x."""

    def __init__(self, bijection: Bijection):
        self.bijection = bijection

    def forward(self, x: Array, training: bool = False) -> tuple[Array, None]:
        return self.bijection.inverse(x), None


def parts(model: Any, *, shape: tuple[int, ...] | None = None) -> dict[str, Part]:
    """The parts of a model, by name. A layer has one part, "network".

    shape : of one example of the input, for a layer that does not begin with a Linear or Reshape

    Raises NotExportable, a TypeError, for a model without such a network.
    """
    if isinstance(model, Layer):
        return {"network": _part("network", model, "output", shape=shape)}
    if shape is not None:
        raise ValueError(f"export expected shape only for a layer, got one for a {type(model).__name__}")
    if not isinstance(model, Estimator):
        hint = "; pass its model_" if hasattr(model, "model_") else ""      # an estimator of scikit-learn
        raise NotExportable(f"export expected a model or a layer, got {describe(model)}{hint}")
    for kind, find in FINDERS.items():
        if isinstance(model, kind):
            return {part.name: part for part in find(model)}
    reason = REASONS.get(type(model).__name__, "no part of it maps one array of fixed shape to another")
    raise NotExportable(f"export cannot write a {type(model).__name__}: {reason}")


def find_part(model: Any, part: str | None, shape: tuple[int, ...] | None = None) -> Part:
    """The named part of a model; None stands for the only one.

    Raises ValueError for another name, and for None if there are several.
    """
    found = parts(model, shape=shape)
    if part is None and len(found) == 1:
        return next(iter(found.values()))
    if part not in found:
        raise ValueError(f"export expected part to be one of {', '.join(found)}, got {part!r}")
    return found[part]


# Why other models cannot be exported. The names are those of classes.
TWO_INPUTS = "its network takes a time beside the data; export the layers it consists of"
STEPS = "it generates symbol by symbol, with a state or a cache that one pass of a graph does not have"
REASONS = {
    "Diffusion": TWO_INPUTS,
    "FlowMatching": TWO_INPUTS,
    "CharacterModel": STEPS,
    "Translator": STEPS,
    "TextMixture": STEPS,
    "NGram": "it is a table of counts, not a network",
    "PixelCNN": "it has two stacks of convolutions with connections between them, for which there is no rule",
}


def _autoencoder(model: Autoencoder) -> list[Part]:
    return [
        _part("encoder", model.encoder, "code", method="transform"),
        _part("decoder", model.decoder, "reconstruction", method="inverse_transform"),
    ]


def _vae(model: VAE) -> list[Part]:
    if isinstance(model, ConditionalVAE):
        raise NotExportable(
            "export cannot write a ConditionalVAE, whose networks also take labels: export model.encoder and "
            "model.decoder, which take the one-hot label beside x or z"
        )
    last: list[Layer] = [Sigmoid()] if model.bernoulli else []      # from logits to the mean image
    return [
        _part("encoder", model.encoder, "mean", "logvar", method="posterior"),
        _part("decoder", Sequential(*_layers(model.decoder), *last), "mean", method="inverse_transform"),
    ]


def _gan(model: GAN) -> list[Part]:
    """The generator of a conditional GAN takes [z, r], with r the one-hot label, as one array."""
    method = "inverse_transform" if type(model).inverse_transform is GAN.inverse_transform else "forward"
    found = [_part("generator", model.generator, "examples", method=method)]
    if input_width(model.discriminator) is not None:        # otherwise it begins with a layer for labels
        found.append(_part("discriminator", model.discriminator, "logits"))
    return found


def _net_classifier(model: NetClassifier) -> list[Part]:
    return [_part("classifier", model.net, "logits")]


def _linear_classifier(model: LinearClassifier) -> list[Part]:
    if not hasattr(model, "weight"):
        raise ValueError(f"export expected a trained {type(model).__name__}; call fit first")
    features, classes = model.weight.shape
    linear = Linear(features, classes, rng=0, dtype=model.weight.dtype)
    linear.weight, linear.bias = model.weight, model.bias
    return [_part("classifier", linear, "scores", method="decision_function")]


def _flow(model: Flow) -> list[Part]:
    there: list[Layer] = list(model.layers)
    back: list[Layer] = [Inverse(layer) for layer in reversed(model.layers)]
    if model.shape is not None:
        there = [Reshape(*model.x_shape), *there, Flatten()]
        back = [Reshape(*model.z_shape), *back, Flatten()]
    shape = (model.features,)
    return [
        _part("forward", Sequential(*there), "z", shape=shape, method="transform"),
        _part("inverse", Sequential(*back), "examples", shape=shape, method="inverse_transform"),
    ]


def _made(model: MADE) -> list[Part]:
    """One pass with the masks of each ordering: the logits of all pixels, given those before."""
    if model.classes:
        raise NotExportable("export cannot write a MADE with classes: each layer also takes the label")
    found = []
    for ordering in range(len(model.orders)):
        layers: list[Layer] = []
        sources: Any = model.net.layers
        for source, mask in zip(sources, model.masks(ordering), strict=True):
            inputs, outputs = mask.shape
            masked = MaskedLinear(inputs, outputs, mask, rng=0, dtype=source.weight.dtype)
            masked.weight, masked.bias = source.weight, source.bias
            layers += [masked, ReLU()]
        name = "logits" if len(model.orders) == 1 else f"logits_{ordering}"
        shape = (model.features,)
        found.append(_part(name, Sequential(*layers[:-1]), "logits", shape=shape, method="logits"))
    return found


FINDERS: dict[type, Callable[[Any], list[Part]]] = {
    Autoencoder: _autoencoder,
    VAE: _vae,
    GAN: _gan,
    NetClassifier: _net_classifier,
    LinearClassifier: _linear_classifier,
    Flow: _flow,
    MADE: _made,
}


def _layers(net: Layer) -> list[Layer]:
    return net.layers if isinstance(net, Sequential) else [net]


def _part(
    name: str, net: Layer, *outputs: str, shape: tuple[int, ...] | None = None, method: str = "forward"
) -> Part:
    net = net if type(net) is Sequential else Sequential(net)
    if shape is None:
        width, first = input_width(net), net[0] if len(net) else None
        if isinstance(first, Scaling):
            shape = first.log_scale.shape
        elif width is not None:
            shape = (width,)
        else:
            raise ValueError(
                f"export of the {name} expected shape, that of one example of its input, such as "
                f"(28, 28, 1), because the first layer does not determine it: {first!r}"
            )
    elif len(shape) == 3:
        shape = as_image_shape("export", shape)
    else:
        shape = tuple(expect_count("export", "shape", size) for size in shape)
    return Part(name, net, shape, outputs, method)


def output_shape(layer: Layer, shape: tuple[int, ...], dtype: Any) -> tuple[int, ...]:
    """The shape of one example of a layer's output, from a forward pass of one example of zeros."""
    return layer.forward(np.zeros((1, *shape), dtype))[0].shape[1:]
