"""Find by gradients which logits depend on which pixels, in networks for digits of 10×10 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.layers import Layer, MaskedConv2d, ReLU, Sequential
from scratchgen.layers.masked import raster_mask

SIDE = 10       # digits of 10×10 pixels


def halved(x: np.ndarray) -> np.ndarray:
    """Digits of 10×10 from 28×28: the means of 2×2 pixels, without the black margin. (N, 784) -> (N, 100)"""
    middle = x.reshape(-1, 28, 28)[:, 4:24, 4:24]
    return np.ascontiguousarray(middle.reshape(-1, SIDE, 2, SIDE, 2).mean(axis=(2, 4)).reshape(len(x), -1))


def one_stack(rng: np.random.Generator, layers: int = 10) -> Sequential:
    """One stack of masked 3×3 convolutions, (N, 10, 10, 1) -> logits of the same shape; not trained.

    Its biases keep most ReLUs active, so that no gradient is zero by chance.
    """
    kind: dict[str, Any] = {"rng": rng, "dtype": np.float32}
    middle: list[Layer] = []
    for _ in range(layers - 1):
        middle += [MaskedConv2d(8, 8, raster_mask((3, 3), centre=True), padding=1, **kind), ReLU()]
    net = Sequential(
        MaskedConv2d(1, 8, raster_mask((3, 3), centre=False), padding=1, **kind), ReLU(), *middle,
        MaskedConv2d(8, 1, raster_mask((1, 1), centre=True), **kind),
    )  # fmt: skip
    for p in net.parameters().values():
        p.value += 0.3 * (p.value.ndim == 1)
    return net


def slopes(net: Layer, X: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """max over X (N, D) of |d logit_d / d x_e|, (D, D).

    D copies of x go through the network at once, and copy d gets an upstream gradient of 1 at its own logit.

    shape : of one input of the network, such as (D,) or (H, W, 1)
    """
    size = X.shape[1]
    largest, upstream = np.zeros((size, size)), np.eye(size, dtype=X.dtype).reshape(size, *shape)
    with net.frozen():
        for x in X:
            _, cache = net.forward(np.tile(x, (size, 1)).reshape(size, *shape))
            np.maximum(largest, np.abs(net.backward(upstream, cache).reshape(size, size)), out=largest)
    return largest


def shares(matrix: np.ndarray) -> dict[str, float]:
    """The share of earlier pixels that logits depend on, and the number of other pixels they depend on."""
    before = np.tri(len(matrix), k=-1) > 0
    return {
        "earlier pixels seen": float((matrix[before] > 0).mean()),
        "other pixels seen": int((matrix[~before] > 0).sum()),
    }
