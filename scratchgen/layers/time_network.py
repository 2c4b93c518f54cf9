"""Networks of a noisy x and a time t, and the residual net for vectors. Derived in docs/diffusion.md."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import (
    Array,
    as_generator,
    describe,
    expect_count,
    expect_labels,
    float_dtype,
    is_plain_array,
    positive,
)
from scratchgen.layers.activations import SiLU
from scratchgen.layers.base import CheckedModule
from scratchgen.layers.embedding import Embedding
from scratchgen.layers.linear import Linear
from scratchgen.layers.normalisation import LayerNorm
from scratchgen.layers.residual import ResidualBlock, zeros
from scratchgen.layers.sequential import Sequential
from scratchgen.layers.time_embedding import TimeEmbedding
from scratchgen.module import Module


class Condition(Module):
    """The embedding e of a time t, and of a class y if there are classes.

    (COND.1)  e = silu(W₂·silu(W₁·sinusoids(t) + b₁) + b₂ + L_y)
    (COND.2)  dL_y += dr of the examples of class y, where dr is the gradient before the last silu

    t (N,), y (N,) integers, e (N, E). Label `classes`, one more than the last class, means "no class".

    embedding : E
    classes : the number of classes; 0 for a network without classes
    """

    def __init__(self, embedding: int, classes: int, *, rng: np.random.Generator, dtype: DTypeLike):
        self.embedding, self.classes = embedding, classes
        net: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.time = Sequential(
            TimeEmbedding(64), Linear(64, embedding, **net), SiLU(), Linear(embedding, embedding, **net)
        )
        self.label = Embedding(classes + 1, embedding, std=0.02, **net) if classes else None
        self.activation = SiLU()

    def forward(self, t: Array, y: Array | None = None) -> tuple[Array, Any]:
        r, time = self.time.forward(t)
        label = None
        if self.label is not None:
            ids = np.full(len(t), self.classes) if y is None else y
            row, label = self.label.forward(ids)
            r = r + row
        e, activation = self.activation.forward(r)                      # (COND.1)
        return e, (time, label, activation)

    def backward(self, de: Array, cache: Any) -> None:
        """Add the gradients of the parameters. A time has no gradient."""
        time, label, activation = cache
        dr = self.activation.backward(de, activation)
        if self.label is not None:
            self.label.backward(dr, label)                              # (COND.2)
        self.time.backward(dr, time, input_grad=False)


class TimeNetwork(CheckedModule):
    """Base class of networks of a time: f(x, t, y), with an output in the shape of x.

        out, cache = net.forward(x, t, y=None, training=False)
        dx = net.backward(dout, cache)                  also adds to p.grad of every parameter

    x (N, D) or (N, H, W, C); t (N,), in [0, 1]; y (N,) labels 0 … classes, of which the last one means "no
    class"; None means no class for all examples.

    classes : the number of classes; 0 for a network without classes
    """

    classes = 0

    def forward(
        self, x: Array, t: Array, y: Array | None = None, training: bool = False
    ) -> tuple[Array, Any]:
        """Return (out, cache). The cache holds everything that backward needs."""
        raise TypeError(f"{type(self).__name__} does not define forward")

    def backward(self, dout: Array, cache: Any, input_grad: bool = True) -> Any:
        """Add the gradients of the parameters to p.grad; return dx, or None if input_grad is False."""
        raise TypeError(f"{type(self).__name__} does not define backward")

    def expect_inputs(self, x: Array, t: Array, y: Array | None) -> Array | None:
        """Check the dtype of x, and t and y; return y as integers. The layers check the shape of x.

        Raises TypeError for another type or dtype, ValueError for another shape and for labels that do not
        fit.
        """
        who = type(self).__name__
        self.expect(x)
        if not is_plain_array(t) or t.dtype != x.dtype:
            raise TypeError(f"{who} expected times t of dtype {x.dtype}, as x has, got {describe(t)}")
        if t.shape != x.shape[:1]:
            raise ValueError(f"{who} expected {len(x)} times, one per example, got shape {t.shape}")
        if y is None:
            return None
        if not self.classes:
            raise ValueError(f"{who} expected no labels y, because it was built without classes")
        return expect_labels(who, y, len(x), self.classes + 1)


class ResidualNetCache(NamedTuple):
    """The input, and the caches of the sublayers of a ResidualNet in the order of forward."""

    x: Array
    condition: Any
    first: Any
    blocks: list[Any]
    last: Any


class ResidualNet(TimeNetwork):
    """A time-conditioned network for vectors: a Linear layer, residual blocks, and a Linear layer.

    (RESNET.1)  h₀ = W·x + b,  h_k = block_k(h_(k−1), e),  out = W'·norm(h_K) + b'
    (RESNET.2)  dh_(k−1), de_k = block_k.backward(dh_k),  de = Σ_k de_k          e is used by every block

    x, out (N, features). The last Linear starts at zero, so the network starts as f = 0. Derived in
    docs/diffusion.md.

    features : columns of x
    hidden : the width of the blocks
    blocks : the number of blocks
    classes : the number of classes; 0 for a network without classes
    embedding : the width of the time embedding
    rng : a Generator or an integer seed
    """

    def __init__(
        self,
        features: int,
        hidden: int = 128,
        blocks: int = 3,
        *,
        classes: int = 0,
        embedding: int = 64,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
    ):
        who = "ResidualNet"
        positive(who, features=features, hidden=hidden, blocks=blocks, embedding=embedding)
        expect_count(who, "classes", classes, least=0)
        net: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": float_dtype(who, dtype)}
        self.features, self.hidden, self.classes, self.embedding = features, hidden, classes, embedding
        self.condition = Condition(embedding, classes, **net)
        self.first = Linear(features, hidden, **net)
        self.blocks = [ResidualBlock.dense(hidden, embedding, **net) for _ in range(blocks)]
        self.last = Sequential(LayerNorm(hidden, dtype=dtype), Linear(hidden, features, init=zeros, **net))

    def forward(
        self, x: Array, t: Array, y: Array | None = None, training: bool = False
    ) -> tuple[Array, ResidualNetCache]:
        labels = self.expect_inputs(x, t, y)
        if x.ndim != 2 or x.shape[1] != self.features:
            raise ValueError(f"ResidualNet expected x of shape (N, {self.features}), got {x.shape}")
        e, condition = self.condition.forward(t, labels)
        h, first = self.first.forward(x)
        blocks = []
        for block in self.blocks:                                       # (RESNET.1)
            h, cache = block.forward(h, e, training)
            blocks.append(cache)
        out, last = self.last.forward(h)
        return out, ResidualNetCache(x, condition, first, blocks, last)

    def backward(self, dout: Array, cache: ResidualNetCache, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, cache.x.shape, cache.x.dtype)
        dh = self.last.backward(dout, cache.last)
        de = np.zeros((len(dout), self.embedding), dout.dtype)
        for block, inner in zip(reversed(self.blocks), reversed(cache.blocks), strict=True):
            dh, de_block = block.backward(dh, inner)                    # (RESNET.2)
            de += de_block
        self.condition.backward(de, cache.condition)
        return self.first.backward(dh, cache.first, input_grad)

    def __repr__(self) -> str:
        return (
            f"ResidualNet({self.features}, {self.hidden}, {len(self.blocks)}, classes={self.classes}, "
            f"embedding={self.embedding})"
        )
