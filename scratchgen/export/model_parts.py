"""The parts of each model that can leave: networks that map arrays to an array.

A part shares the model's parameters, so weights that are loaded into it are the model's. Parts of models that
are computed from data without parameters, such as PCA, are copies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen import models
from scratchgen.checks import describe
from scratchgen.export.adapters import (
    CharacterLogits,
    GaussianScores,
    Inverse,
    MaskedWithLabel,
    Shift,
    WithLabel,
)
from scratchgen.export.graph import REASONS as LAYER_REASONS
from scratchgen.export.part import NotExportable, Part, Value, make_part
from scratchgen.layers import (
    Embedding,
    Flatten,
    Layer,
    Linear,
    MaskedLinear,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    UNet,
)
from scratchgen.layers.time_network import ResidualNet, TimeNetwork
from scratchgen.models import PCA, Estimator
from scratchgen.models.classical.linear import LinearClassifier
from scratchgen.models.classical.nets import NetClassifier
from scratchgen.models.diffusion.base import DenoisingModel
from scratchgen.models.flow.model import Flow
from scratchgen.models.gan.conditional import ConditionalGAN
from scratchgen.models.networks import input_width
from scratchgen.models.vae import ConditionalVAE

Finder = Callable[[Any], list[Part]]


def parts(model: Any, *, shape: tuple[int, ...] | None = None) -> dict[str, Part]:
    """The parts of a model, by name. A layer, or a network of a time, has one part, "network".

    shape : of one example of the input, for a layer that does not begin with a Linear or Reshape

    Raises NotExportable, a TypeError, for a model without such a network.
    """
    if type(model).__name__ in LAYER_REASONS:
        name = type(model).__name__
        raise NotExportable(f"export cannot write a {name}: {LAYER_REASONS[name]}")
    if isinstance(model, TimeNetwork):
        return {"network": _time_network("network", model, shape)}
    if isinstance(model, Layer):
        return {"network": make_part("network", model, "output", shape=shape)}
    if shape is not None:
        raise ValueError(f"export expected shape only for a layer, got one for a {type(model).__name__}")
    if not isinstance(model, Estimator):
        hint = "; pass its model_" if hasattr(model, "model_") else ""      # an estimator of scikit-learn
        raise NotExportable(f"export expected a model or a layer, got {describe(model)}{hint}")
    find = finder(type(model))
    if find is None:
        reason = reason_against(type(model)) or "export knows no part of this class; export its networks"
        raise NotExportable(f"export cannot write a {type(model).__name__}: {reason}")
    return {part.name: part for part in find(model)}


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


def finder(kind: type) -> Finder | None:
    """The function that finds the parts of a class of models, or None if it cannot be exported."""
    for base in kind.__mro__:
        if base in FINDERS or base in REASONS:
            return FINDERS.get(base)
    return None


def reason_against(kind: type) -> str | None:
    """Why a class of models cannot be exported; None if it can be, or if it is not one of the library."""
    for base in kind.__mro__:
        if base in FINDERS or base in REASONS:
            return REASONS.get(base)
    return None


def public_models() -> dict[str, type]:
    """Every public class of models, by name: those that can be fitted. Their bases are not among them."""
    names: list[str] = vars(models)["__all__"]
    public = {name: getattr(models, name) for name in names}
    return {
        name: kind
        for name, kind in sorted(public.items())
        if inspect.isclass(kind) and issubclass(kind, Estimator) and kind not in BASES
    }


def refusals() -> dict[str, str]:
    """The public models that cannot be exported, by name, with the reasons. docs/export.md has this table."""
    return {
        name: reason_against(kind) or "" for name, kind in public_models().items() if finder(kind) is None
    }


# Why other models cannot be exported.
REASONS: dict[type, str] = {
    models.Translator: "it attends to a source sentence whose length is an input of its own",
    models.NGram: "it is a table of counts, not a network",
    models.TextMixture: "it is the weighted mean of several models; export those in models",
    models.HiddenMarkovModel: "its forward recursion has as many steps as the sequence",
    models.DecisionTree: "it is a tree of comparisons, not a network",
    models.NearestNeighbours: "its prediction compares an example with the whole training set",
    models.BayesClassifier: "it consists of one model for each class; export those in models_",
}
BASES = (Estimator, models.Model, models.Flow)


def _autoencoder(model: models.Autoencoder) -> list[Part]:
    return [
        make_part("encoder", model.encoder, "code", method="transform"),
        make_part("decoder", model.decoder, "reconstruction", method="inverse_transform"),
    ]


def _pca(model: PCA) -> list[Part]:
    _expect_fitted(model, "components_")
    dtype: Any = model._dtype
    features = model.components_.shape[1]
    there = _linear(model.components_.T, None, dtype)                       # (PCA.2)
    back = _linear(model.components_, model.mean_, dtype)                   # (PCA.3)
    encoder = Sequential(Shift((-model.mean_).astype(dtype)), there)
    return [
        make_part("encoder", encoder, "code", shape=(features,), method="transform", computed=True),
        make_part("decoder", back, "reconstruction", method="inverse_transform", computed=True),
    ]


def _vae(model: models.VAE) -> list[Part]:
    last: list[Layer] = [Sigmoid()] if model.bernoulli else []      # from logits to the mean image
    classes = model.classes if isinstance(model, ConditionalVAE) else 0
    decoder = Sequential(*_layers(model.decoder), *last)
    return [
        _labelled("encoder", model.encoder, classes, "mean", "logvar", method="posterior"),
        _labelled("decoder", decoder, classes, "mean", method="inverse_transform"),
    ]


def _gan(model: models.GAN) -> list[Part]:
    """The discriminator of an InfoGAN has two outputs, those of D and of Q: [l, q], (N, 1 + Q)."""
    classes = model.classes if isinstance(model, ConditionalGAN) else 0
    found = [_labelled("generator", model.generator, classes, "examples", method="inverse_transform")]
    if isinstance(model, models.InfoGAN):
        widths = (1, model.structured)
        found.append(make_part("discriminator", model.discriminator, "logits", "codes", widths=widths))
    elif input_width(model.discriminator) is not None:
        critic = _labelled("discriminator", model.discriminator, classes, "logits", method="critic_score")
        found.append(critic)
    return found


def _net_classifier(model: NetClassifier) -> list[Part]:
    if not hasattr(model, "net"):
        raise ValueError(f"export expected a trained {type(model).__name__}; call fit first")
    return [make_part("classifier", model.net, "logits")]


def _linear_classifier(model: LinearClassifier) -> list[Part]:
    _expect_fitted(model, "weight")
    features, classes = model.weight.shape
    linear = Linear(features, classes, rng=0, dtype=model.weight.dtype)
    linear.weight, linear.bias = model.weight, model.bias
    return [make_part("classifier", linear, "scores", method="decision_function")]


def _bernoulli_naive_bayes(model: models.BernoulliNaiveBayes) -> list[Part]:
    _expect_fitted(model, "logits_")
    bias = model.log_prior_ - np.logaddexp(0, model.logits_).sum(axis=1)
    linear = _linear(model.logits_.T, bias, np.float64)                     # (NB.3)
    return [make_part("classifier", linear, "scores", method="log_joint", computed=True)]


def _gaussian_naive_bayes(model: models.GaussianNaiveBayes) -> list[Part]:
    _expect_fitted(model, "means_")
    whiten = np.stack([np.diag(variances**-0.5) for variances in model.variances_])
    log_det = np.log(model.variances_).sum(axis=1)
    return _gaussian(model.means_, whiten, log_det, model.log_prior_)


def _gaussian_discriminant(model: models.GaussianDiscriminant) -> list[Part]:
    _expect_fitted(model, "means_")
    used, factors = model._in_model(), model._factors
    classes, features = model.means_.shape
    whiten = np.zeros((classes, features, used.sum()))
    log_det = np.zeros(classes)
    for k in range(classes):
        whiten[k, used], log_det[k] = factors[0 if model.shared else k]     # (GDA.3)
    return _gaussian(model.means_, whiten, log_det, model.log_prior_)


def _gaussian(means: Any, whiten: Any, log_det: Any, log_prior: Any) -> list[Part]:
    offset = log_prior - 0.5 * (log_det + whiten.shape[2] * np.log(2 * np.pi))
    net = GaussianScores(means, whiten, offset)
    shape = (means.shape[1],)
    return [make_part("classifier", net, "scores", shape=shape, method="log_joint", computed=True)]


def _flow(model: Flow) -> list[Part]:
    there: list[Layer] = list(model.layers)
    back: list[Layer] = [Inverse(layer) for layer in reversed(model.layers)]
    if model.shape is not None:
        there = [Reshape(*model.x_shape), *there, Flatten()]
        back = [Reshape(*model.z_shape), *back, Flatten()]
    shape = (model.features,)
    return [
        make_part("forward", Sequential(*there), "z", shape=shape, method="transform"),
        make_part("inverse", Sequential(*back), "examples", shape=shape, method="inverse_transform"),
    ]


def _made(model: models.MADE) -> list[Part]:
    """One pass with the masks of each ordering: the logits of all pixels, given those before."""
    found, shape = [], (model.features,)
    sources: Any = model.net.layers
    for ordering in range(len(model.orders)):
        layers: list[Any] = []
        for source, mask in zip(sources, model.masks(ordering), strict=True):
            inputs, outputs = mask.shape
            masked = MaskedLinear(inputs, outputs, mask, rng=0, dtype=source.weight.dtype)
            masked.weight, masked.bias = source.weight, source.bias
            layers.append(masked)
        name = "logits" if len(model.orders) == 1 else f"logits_{ordering}"
        if model.classes:
            net = MaskedWithLabel(layers, [_embedding(label) for label in model.net.labels.layers])
            labels = (Value("y", (), model.classes),)
            part = make_part(name, net, "logits", shape=shape, others=labels, method="logits")
        else:
            between = [layer for masked in layers for layer in (masked, ReLU())]
            part = make_part(name, Sequential(*between[:-1]), "logits", shape=shape, method="logits")
        found.append(part)
    return found


def _embedding(linear: Any) -> Embedding:
    """The Embedding with the weights of a Linear without bias, of which the input is a one-hot label."""
    embedding = Embedding(*linear.weight.shape, rng=0, dtype=linear.dtype)
    embedding.weight = linear.weight
    return embedding


def _pixel_cnn(model: models.PixelCNN) -> list[Part]:
    net = Sequential(Reshape(*model.shape), model.net, Flatten())
    return [make_part("logits", net, "logits", shape=(model.features,), method="logits")]


def _characters(model: models.CharacterModel) -> list[Part]:
    windows = Value("x", (model.window,), len(model.alphabet))
    return [Part("logits", CharacterLogits(model), (windows,), ("logits",))]


def _denoiser(model: DenoisingModel) -> list[Part]:
    return [_time_network("denoiser", model.net, (model.features,), method="predict_at")]


def _time_network(name: str, net: TimeNetwork, shape: Any, method: str = "forward") -> Part:
    """f(x, t, y); y only for a network with classes, where the label `classes` means "no class"."""
    if shape is None and isinstance(net, UNet):
        shape = net.shape
    elif shape is None and isinstance(net, ResidualNet):
        shape = (net.features,)
    labels = (Value("y", (), net.classes + 1),) if net.classes else ()
    return make_part(name, net, "output", shape=shape, others=(Value("t", ()), *labels), method=method)


FINDERS: dict[type, Finder] = {
    models.Autoencoder: _autoencoder,
    PCA: _pca,
    models.VAE: _vae,
    models.GAN: _gan,
    NetClassifier: _net_classifier,
    LinearClassifier: _linear_classifier,
    models.BernoulliNaiveBayes: _bernoulli_naive_bayes,
    models.GaussianNaiveBayes: _gaussian_naive_bayes,
    models.GaussianDiscriminant: _gaussian_discriminant,
    Flow: _flow,
    models.MADE: _made,
    models.PixelCNN: _pixel_cnn,
    DenoisingModel: _denoiser,
    models.CharacterModel: _characters,
}


def _layers(net: Layer) -> list[Layer]:
    return net.layers if isinstance(net, Sequential) else [net]


def _linear(weight: Any, bias: Any, dtype: Any) -> Linear:
    """A Linear with copies of these arrays."""
    inputs, outputs = weight.shape
    linear = Linear(inputs, outputs, bias is not None, rng=0, dtype=dtype)
    linear.weight.value[...] = weight
    if linear.bias is not None:
        linear.bias.value[...] = bias
    return linear


def _labelled(name: str, net: Layer, classes: int, *outputs: str, method: str) -> Part:
    """A part whose network takes the one-hot label beside x, if there are classes; y is then an input."""
    plain = make_part(name, net, *outputs, method=method)
    if not classes:
        return plain
    inner: Any = plain.net
    labels = (Value("y", (), classes),)
    shape = (plain.shape[0] - classes,)
    return make_part(name, WithLabel(inner, classes), *outputs, shape=shape, others=labels, method=method)


def _expect_fitted(model: Any, attribute: str) -> None:
    if not hasattr(model, attribute):
        raise ValueError(f"export expected a trained {type(model).__name__}; call fit first")
