"""The gradient cases of the networks with a time, and of diffusion and flow matching."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import ONE_EPOCH, Build, Example, LayerCase, ModelCase
from scratchgen.gradcheck.checker import SMOOTH, check_model, with_upstream
from scratchgen.gradcheck.contract import check_contract
from scratchgen.gradcheck.differences import Result
from scratchgen.layers import Layer
from scratchgen.layers.residual import ResidualBlock
from scratchgen.layers.time_embedding import TimeEmbedding
from scratchgen.layers.time_network import ResidualNet, TimeNetwork
from scratchgen.layers.unet import PixelAttention, UNet
from scratchgen.models.diffusion import Diffusion, FlowMatching
from scratchgen.module import Module, Parameter


class WithEmbedding(Layer):
    """A residual block as a layer of one input: the columns of x, and behind them those of the embedding."""

    def __init__(self, block: ResidualBlock, shape: tuple[int, ...]):
        self.block, self.shape = block, shape

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        self.expect(x, ndim=2)
        width = int(np.prod(self.shape))
        out, cache = self.block.forward(x[:, :width].reshape(-1, *self.shape), x[:, width:], training)
        return out, (x.shape, cache)

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        shape, inner = cache
        dx, de = self.block.backward(dout, inner, input_grad)
        return np.concatenate([dx.reshape(len(dout), -1), de], axis=1) if dx is not None else None


class OfColumn(Layer):
    """A time embedding as a layer of rows: the times are the only column, (N, 1)."""

    def __init__(self, embedding: TimeEmbedding):
        self.embedding = embedding

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        self.expect(x, features=1)
        return self.embedding.forward(x[:, 0])

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        dt = self.embedding.backward(dout, cache, input_grad)
        return dt[:, None] if input_grad else None

    def jvp(self, dx: np.ndarray, cache: Any) -> np.ndarray:
        """Return J·dx."""
        self.expect_gradient(dx, (len(cache[0]), 1), cache[0].dtype)
        return self.embedding.jvp(dx[:, 0], cache)


class AtOneTime(Layer):
    """A network with a time as a layer of one input: each example has its own fixed time, and a label."""

    def __init__(self, net: TimeNetwork):
        self.net = net

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        self.expect(x)
        t = np.linspace(0.1, 0.9, len(x)).astype(x.dtype)
        y = np.arange(len(x)) % (self.net.classes + 1) if self.net.classes else None
        return self.net.forward(x, t, y, training)

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        return self.net.backward(dout, cache, input_grad)


class Projected(Module):
    """A layer as a model: the loss is ⟨out, u⟩ for a fixed random u, and the input is a parameter too.

    own : the names of the layer's parameters to check; None for all of them
    """

    def __init__(self, layer: Layer, x: np.ndarray, training: bool, own: tuple[str, ...] | None = None):
        self.layer, self.input, self.training, self.own = layer, Parameter(x), training, own
        self.u = np.random.default_rng(21).standard_normal(layer.forward(x, training)[0].shape)

    def parameters(self) -> dict[str, Parameter]:
        found = self.layer.parameters()
        return {"input": self.input} | {name: found[name] for name in self.own or found}

    def loss(self) -> tuple[float, Any]:
        out, cache = self.layer.forward(self.input.value, self.training)
        return float((out * self.u).sum()), cache

    def backward(self, cache: Any) -> None:
        self.input.grad += self.layer.backward(self.u.copy(), cache)


@dataclass(frozen=True)
class NetworkCase(LayerCase):
    """A network with thousands of parameters, which is checked along random lines, not entry by entry."""

    def run(self) -> list[Result]:
        """Check input and parameters along random lines; then the same after a Linear; then the contract."""
        layer, x, rng = self.make()
        alone = Projected(layer, x, self.training)
        results = check_model(alone, alone.loss, rng=rng, directions=2)
        after, x_before = with_upstream(layer, x, rng=rng)
        behind = Projected(after, x_before, self.training, own=("0.weight", "0.bias"))
        found = check_model(behind, behind.loss, rng=rng, directions=2)
        results += [replace(r, what=f"after a Linear: {r.what}") for r in found]
        return results + check_contract(layer, x, rng=rng, training=self.training)


def _unet(rng: np.random.Generator, dtype: Any, **settings: Any) -> AtOneTime:
    settings = {"channels": (4, 6), "groups": 2, "embedding": 5, **settings}
    return AtOneTime(UNet((4, 4, 2), rng=rng, dtype=dtype, **settings))


LAYERS = (
    LayerCase("TimeEmbedding", lambda rng, dtype: OfColumn(TimeEmbedding(6)), (5, 1)),
    LayerCase(
        "ResidualBlock of images",
        lambda rng, dtype: WithEmbedding(
            ResidualBlock.image(2, 4, 3, groups=2, rng=rng, dtype=dtype), (2, 3, 2)
        ),
        (2, 15),
    ),
    LayerCase(
        "ResidualBlock of images, dropout",
        lambda rng, dtype: WithEmbedding(
            ResidualBlock.image(4, 4, 3, groups=2, dropout=0.3, rng=rng, dtype=dtype), (2, 2, 4)
        ),
        (2, 19),
        training=True,
    ),
    LayerCase(
        "ResidualBlock of vectors",
        lambda rng, dtype: WithEmbedding(ResidualBlock.dense(4, 3, rng=rng, dtype=dtype), (4,)),
        (5, 7),
    ),
    LayerCase(
        "PixelAttention", lambda rng, dtype: PixelAttention(4, 2, 2, rng=rng, dtype=dtype), (2, 2, 3, 4)
    ),
    NetworkCase("UNet", _unet, (2, 4, 4, 2)),
    NetworkCase("UNet of one level", lambda rng, dtype: _unet(rng, dtype, channels=(4,)), (2, 4, 4, 2)),
    NetworkCase(
        "UNet with attention and classes, squeezed",
        lambda rng, dtype: _unet(rng, dtype, attention=True, classes=2, squeeze=True),
        (3, 32),
    ),
    NetworkCase(
        "ResidualNet",
        lambda rng, dtype: AtOneTime(ResidualNet(3, 4, 2, classes=2, embedding=5, rng=rng, dtype=dtype)),
        (4, 3),
    ),
)


@dataclass(frozen=True)
class DenoisingCase(ModelCase):
    """A model whose last layers start at zero, which makes most gradients 0: its parameters are moved."""

    def make(self) -> tuple[Any, tuple[np.ndarray, ...], np.random.Generator]:
        """Return the model in float64, a batch, and a generator; label `classes` means "no class"."""
        rng = np.random.default_rng(20)
        model, x = self.build(rng, np.float64), rng.standard_normal(self.shape)
        for p in model.parameters().values():
            p.value += 0.3 * rng.standard_normal(p.shape)
        return model, (x, rng.integers(self.classes + 1, size=len(x))) if self.classes else (x,), rng

    def run(self) -> list[Result]:
        """Check the gradients along random lines, for each parameter array and for all together."""
        model, (x, *labels), rng = self.make()
        y = labels[0] if labels else None

        def loss() -> tuple[float, Any]:
            return model.loss(x, y=y, rng=np.random.default_rng(1), training=True)

        return check_model(model, loss, rng=rng, tolerance=SMOOTH)


def _small(kind: Any) -> Build:
    return lambda rng, dtype: kind.dense(3, 4, 2, classes=2, embedding=5, rng=rng, dtype=dtype)


MODELS = (
    DenoisingCase("FlowMatching dense", _small(FlowMatching), (5, 3), classes=2),
    DenoisingCase(
        "FlowMatching convolutional",
        lambda rng, dtype: FlowMatching.convolutional(
            (8, 8), shape=(4, 4, 1), embedding=4, rng=rng, dtype=dtype
        ),
        (3, 16),
    ),
    DenoisingCase("Diffusion dense", _small(Diffusion), (5, 3), classes=2),
    DenoisingCase(
        "Diffusion convolutional",
        lambda rng, dtype: Diffusion.convolutional(
            (8, 8), shape=(4, 4, 1), embedding=4, dropout=0.2, predicts="eps", rng=rng, dtype=dtype
        ),
        (3, 16),
    ),
)

EXAMPLES = (
    Example("FlowMatching", lambda rng: FlowMatching.dense(6, 8, 1, rng=rng), fit=ONE_EPOCH),
    Example("Diffusion", lambda rng: Diffusion.dense(6, 8, 1, steps=10, rng=rng), fit=ONE_EPOCH),
)
