"""Layers that give a label to a network, or a network two outputs. Derived in docs/conditional-gan.md."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import Array
from scratchgen.layers import Layer


class LabelMaps(Layer):
    """Images and labels in rows become images with one further channel for each class.

    (LABEL.1)  out[n, i, j] = [x[n, i, j], r[n]]            r has the same values at every pixel
    (LABEL.2)  dx = the first C channels of dout,  dr[n] = Σᵢⱼ of the others

    The input is [x, r], (N, H·W·C + classes), the output (N, H, W, C + classes).

    shape : (H, W, C);  classes : the width of r, the one-hot label
    """

    def __init__(self, shape: tuple[int, int, int], classes: int):
        self.shape, self.classes = tuple(shape), classes
        self.pixels = math.prod(shape)
        self.in_features = self.pixels + classes

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple[int, np.dtype]]:
        self.expect(x, features=self.in_features, ndim=2)
        height, width, _ = self.shape
        image = x[:, : self.pixels].reshape(-1, *self.shape)
        label = np.broadcast_to(x[:, None, None, self.pixels :], (len(x), height, width, self.classes))
        return np.concatenate([image, label], axis=3), (len(x), x.dtype)        # (LABEL.1)

    def backward(self, dout: Array, cache: tuple[int, np.dtype], input_grad: bool = True) -> Any:
        n, dtype = cache
        height, width, channels = self.shape
        self.expect_gradient(dout, (n, height, width, channels + self.classes), dtype)
        if not input_grad:
            return None
        dx, dr = dout[..., :channels], dout[..., channels:].sum(axis=(1, 2))    # (LABEL.2)
        return np.concatenate([dx.reshape(n, self.pixels), dr], axis=1)

    def jvp(self, dx: Array, cache: tuple[int, np.dtype]) -> Array:
        """Return J·dx: the layer is linear, so this is its output for dx."""
        n, dtype = cache
        self.expect_gradient(dx, (n, self.in_features), dtype)
        return self.forward(dx)[0]

    def __repr__(self) -> str:
        return f"LabelMaps({self.shape}, {self.classes})"


class ProjectionCache(NamedTuple):
    """What Projection.backward needs."""

    body: Any       # the caches of the three layers
    head: Any
    embedding: Any
    h: Array        # (N, H), the output of the body
    e: Array        # (N, H), the embedded labels


class Projection(Layer):
    """A discriminator that compares the label with its last hidden layer (Miyato & Koyama 2018).

    (PROJ.1)  l = ψ(h) + ⟨e, h⟩,  h = f(x),  e = r·E            r the one-hot label, so e is its row of E
    (PROJ.2)  dh = dψ + dl·e                                    dψ from the head
    (PROJ.3)  de = dl·h                                         passed on to E, (LIN.2)

    The input is [x, r], (N, D + classes), the output (N, 1).

    body : f, x (N, D) -> (N, H);  head : ψ, (N, H) -> (N, 1);  embedding : (N, classes) -> (N, H)
    features : D
    """

    def __init__(self, body: Layer, head: Layer, embedding: Layer, features: int, classes: int):
        self.body, self.head, self.embedding = body, head, embedding
        self.features, self.classes = features, classes
        self.in_features = features + classes

    def forward(self, x: Array, training: bool = False) -> tuple[Array, ProjectionCache]:
        self.expect(x, features=self.in_features, ndim=2)
        data, label = (np.ascontiguousarray(part) for part in np.split(x, [self.features], axis=1))
        h, body = self.body.forward(data, training)             # (N, H)
        e, embedding = self.embedding.forward(label, training)  # (N, H)
        psi, head = self.head.forward(h, training)              # (N, 1)
        out = psi + (e * h).sum(axis=1, keepdims=True)          # (PROJ.1)
        return out, ProjectionCache(body, head, embedding, h, e)

    def backward(self, dout: Array, cache: ProjectionCache, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, (len(cache.h), 1), cache.h.dtype)
        dh = self.head.backward(dout, cache.head) + dout * cache.e      # (PROJ.2)
        de = dout * cache.h                                     # (PROJ.3)
        dr = self.embedding.backward(de, cache.embedding, input_grad)
        dx = self.body.backward(dh, cache.body, input_grad)
        return np.concatenate([dx, dr], axis=1) if input_grad else None


class BranchesCache(NamedTuple):
    """What Branches.backward needs."""

    branches: list[Any]     # the caches
    widths: list[int]       # the number of outputs of each branch
    shape: tuple[int, int]  # of the output
    dtype: np.dtype


class Branches(Layer):
    """Several layers that are applied to the same input; the outputs are next to each other.

    (BRANCH.1)  out = [f_1(x), f_2(x), …]
    (BRANCH.2)  dx = Σ_k J_kᵀ·dout_k                        every branch adds to the gradient of its input

    x (N, D), out (N, the sum of the widths).
    """

    def __init__(self, *branches: Layer):
        self.branches = list(branches)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, BranchesCache]:
        outs, caches = zip(*(branch.forward(x, training) for branch in self.branches), strict=True)
        out = np.concatenate(outs, axis=1)                      # (BRANCH.1)
        return out, BranchesCache(list(caches), [o.shape[1] for o in outs], out.shape, out.dtype)

    def backward(self, dout: Array, cache: BranchesCache, input_grad: bool = True) -> Any:
        self.expect_gradient(dout, cache.shape, cache.dtype)
        parts = np.split(dout, np.cumsum(cache.widths)[:-1], axis=1)
        grads = [
            branch.backward(np.ascontiguousarray(part), own, input_grad)
            for branch, part, own in zip(self.branches, parts, cache.branches, strict=True)
        ]
        return sum(grads[1:], start=grads[0]) if input_grad else None   # (BRANCH.2)

    def jvp(self, dx: Array, cache: BranchesCache) -> Array:
        """Return J·dx, the tangents of all branches next to each other."""
        pairs = zip(self.branches, cache.branches, strict=True)
        return np.concatenate([branch.jvp(dx, own) for branch, own in pairs], axis=1)

    def __repr__(self) -> str:
        return f"Branches({', '.join(map(repr, self.branches))})"
