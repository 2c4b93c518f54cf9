"""The gradient cases of bijections, with and without their log-determinant, and of flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import LayerCase, ModelCase
from scratchgen.layers import (
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Conv2d,
    Layer,
    Linear,
    Scaling,
    Sequential,
    Squeeze,
    Tanh,
)
from scratchgen.models.flow import NICE, Flow, RealNVP


class WithLogDet(Layer):
    """A layer that joins the two outputs of a bijection, (N, D + 1), so that both have a gradient."""

    def __init__(self, bijection: Bijection):
        self.bijection = bijection

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        z, cache = self.bijection.forward(x, training)
        return np.concatenate([z.reshape(len(z), -1), cache.logdet[:, None]], axis=1), (z.shape, cache)

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        shape, inner = cache
        dz, dlogdet = dout[:, :-1].reshape(shape), np.ascontiguousarray(dout[:, -1])
        return self.bijection.backward(dz, inner, input_grad, dlogdet=dlogdet)


def _dense(width: int, outputs: int, rng: np.random.Generator, dtype: Any) -> Sequential:
    first, second = Linear(width, 5, rng=rng, dtype=dtype), Linear(5, outputs, rng=rng, dtype=dtype)
    return Sequential(first, Tanh(), second)


def _convolutional(channels: int, outputs: int, rng: np.random.Generator, dtype: Any) -> Conv2d:
    return Conv2d(channels, outputs, 3, padding=1, rng=rng, dtype=dtype)


LAYERS = (
    LayerCase(
        "AdditiveCoupling even",
        lambda rng, dtype: AdditiveCoupling(_dense(3, 3, rng, dtype), "even"),
        (7, 6),
    ),
    LayerCase(
        "AdditiveCoupling light",
        lambda rng, dtype: AdditiveCoupling(_convolutional(2, 2, rng, dtype), "light"),
        (2, 4, 3, 2),
    ),
    LayerCase(
        "AffineCoupling odd",
        lambda rng, dtype: AffineCoupling(_dense(3, 6, rng, dtype), "odd", bound=0.8),
        (7, 6),
    ),
    LayerCase(
        "AffineCoupling with logdet",
        lambda rng, dtype: WithLogDet(AffineCoupling(_dense(3, 6, rng, dtype), "second", bound=0.8)),
        (7, 6),
    ),
    LayerCase(
        "AffineCoupling dark, with logdet",
        lambda rng, dtype: WithLogDet(AffineCoupling(_convolutional(2, 4, rng, dtype), "dark", bound=0.8)),
        (2, 4, 3, 2),
    ),
    LayerCase(
        "AffineCoupling channels, with logdet",
        lambda rng, dtype: WithLogDet(AffineCoupling(_convolutional(1, 2, rng, dtype), "first", bound=0.8)),
        (2, 4, 3, 2),
    ),
    LayerCase("Scaling", lambda rng, dtype: Scaling(5, dtype=dtype), (7, 5)),
    LayerCase("Scaling with logdet", lambda rng, dtype: WithLogDet(Scaling(5, dtype=dtype)), (7, 5)),
    LayerCase(
        "Scaling images, with logdet",
        lambda rng, dtype: WithLogDet(Scaling(3, 5, 2, dtype=dtype)),
        (2, 3, 5, 2),
    ),
    LayerCase("Squeeze", lambda rng, dtype: Squeeze(), (2, 4, 6, 3)),
)


def _perturbed(model: Flow, rng: np.random.Generator) -> Flow:
    """Change the initial parameters, with which last layers are zero and couplings are the identity."""
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    return model


MODELS = (
    ModelCase(
        "Flow logistic",
        lambda rng, dtype: _perturbed(
            Flow(
                [AffineCoupling(_dense(3, 6, rng, dtype), "first"), Scaling(6, dtype=dtype)],
                6,
                prior="logistic",
            ),
            rng,
        ),
        (5, 6),
    ),
    ModelCase(
        "NICE dense",
        lambda rng, dtype: _perturbed(NICE.dense(8, (7, 5), 3, rng=rng, dtype=dtype), rng),
        (5, 8),
        smooth=False,
    ),
    ModelCase(
        "NICE dense, odd number of features",
        lambda rng, dtype: _perturbed(NICE.dense(7, (5,), 2, rng=rng, dtype=dtype), rng),
        (5, 7),
        smooth=False,
    ),
    ModelCase(
        "RealNVP dense, odd number of features",
        lambda rng, dtype: _perturbed(RealNVP.dense(5, (6,), 3, rng=rng, dtype=dtype), rng),
        (5, 5),
    ),
    ModelCase(
        "RealNVP dense",
        lambda rng, dtype: _perturbed(RealNVP.dense(6, (7,), 3, rng=rng, dtype=dtype), rng),
        (5, 6),
    ),
    ModelCase(
        "RealNVP convolutional",
        lambda rng, dtype: _perturbed(RealNVP.convolutional((4, 4, 1), 3, rng=rng, dtype=dtype), rng),
        (3, 16),
    ),
)
