"""The cases of the gradient check: how a layer, a loss or a model is built and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from scratchgen.gradcheck.checker import (
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
from scratchgen.gradcheck.contract import check_contract
from scratchgen.gradcheck.differences import Result
from scratchgen.layers import Layer

Build = Callable[[np.random.Generator, Any], Any]   # (rng, dtype) -> layer or model


@dataclass(frozen=True)
class LayerCase:
    """A case of a layer.

    build : function (rng, dtype) -> layer
    shape : the shape of the input
    training : the mode of forward
    smooth : False if the layer has kinks
    """

    name: str
    build: Build
    shape: tuple[int, ...]
    training: bool = False
    smooth: bool = True

    def make(self, dtype: Any = np.float64) -> tuple[Layer, np.ndarray, np.random.Generator]:
        """Return the layer, its input, and a generator. Each call returns the same numbers."""
        rng = np.random.default_rng(20)
        layer: Layer = self.build(rng, dtype)
        for p in layer.parameters().values():   # so that biases are not 0 and scales not 1
            p.value += (0.3 * rng.standard_normal(p.shape)).astype(dtype)
        x = rng.standard_normal(self.shape)
        x = (x if self.smooth else x + 0.1 * np.sign(x)).astype(dtype)
        if layer.buffers():                     # so that running statistics are not 0 and 1
            layer.forward(x, training=True)
        return layer, x, rng

    def run(self) -> list[Result]:
        """Check gradients entry by entry, of the layer alone and after a Linear; then jvp and contract."""
        layer, x, rng = self.make()
        how: dict[str, Any] = {"rng": rng, "training": self.training}
        tolerance = SMOOTH if self.smooth else KINKED
        results = check_layer(layer, x, tolerance=tolerance, **how)
        after_linear = check_layer(*with_upstream(layer, x, rng=rng), tolerance=tolerance, **how)
        results += [replace(r, what=f"after a Linear: {r.what}") for r in after_linear]
        if has_jvp(layer):
            results.append(check_jvp(layer, x, **how))
        return results + check_contract(layer, x, **how)


@dataclass(frozen=True)
class LossCase:
    """A case of a loss.

    target : function (rng, shape of the prediction) -> target
    smooth : False if the loss has kinks
    shape : the shape of the prediction
    """

    name: str
    loss: Loss
    target: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    smooth: bool = True
    shape: tuple[int, ...] = (7, 5)

    def run(self) -> list[Result]:
        """Check the gradient with respect to the prediction, entry by entry."""
        rng = np.random.default_rng(20)
        pred = 2 * rng.standard_normal(self.shape)
        target = self.target(rng, self.shape)
        return check_loss(self.loss, pred, target, tolerance=SMOOTH if self.smooth else KINKED)


@dataclass(frozen=True)
class ModelCase:
    """A case of a model.

    build : function (rng, dtype) -> model
    shape : the shape of the data, which is within [0, 1]
    classes : the number of classes; 0 for a model without labels
    smooth : False if the model has kinks
    """

    name: str
    build: Build
    shape: tuple[int, ...]
    classes: int = 0
    smooth: bool = True

    def make(self) -> tuple[Any, tuple[np.ndarray, ...], np.random.Generator]:
        """Return the model in float64, a batch, and a generator. Each call returns the same numbers."""
        rng = np.random.default_rng(20)
        model, x = self.build(rng, np.float64), rng.uniform(size=self.shape)
        return model, (x, rng.integers(self.classes, size=len(x))) if self.classes else (x,), rng

    def run(self) -> list[Result]:
        """Check the gradients along random lines, for each parameter array and for all together."""
        model, batch, rng = self.make()

        def loss() -> tuple[float, Any]:
            return model.loss(*batch, rng=np.random.default_rng(1), training=True)

        return check_model(model, loss, rng=rng, tolerance=SMOOTH if self.smooth else KINKED)


@dataclass(frozen=True)
class Example:
    """A small model and how to fit it. The common tests of all public models use it.

    name : the public name of the model's class
    build : rng -> model
    shape : of the data, which is within [0, 1]
    fit : the arguments of `fit` besides the data and rng; None for a fit without such arguments
    classes : the number of classes, for a model whose `fit` needs labels
    given_labels : whether `sample` and the other methods need labels too, as for p(x | y)
    text : the text to fit, for a model of text
    """

    name: str
    build: Callable[[Any], Any]
    shape: tuple[int, int] = (24, 6)
    fit: Mapping[str, Any] | None = None
    classes: int = 0
    given_labels: bool = False
    text: str = ""


# The arguments of `fit` for one short epoch.
ONE_EPOCH: Mapping[str, Any] = MappingProxyType({"epochs": 1, "batch_size": 8})


def kind(case: Any) -> str:
    """Return the layer, loss or model of a case: "Conv2d" for "Conv2d stride 2"."""
    return case.name.split()[0]


def worst(results: list[Result]) -> Result:
    """Return the result to show: a failure before a result from differences, then the largest error."""
    return max(results, key=lambda r: (not r.ok, r.step > 0, r.error / r.tolerance))
