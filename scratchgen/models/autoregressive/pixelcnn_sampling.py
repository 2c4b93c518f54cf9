"""Sample from a PixelCNN pixel by pixel, and compute every feature only once.

The naive method runs the whole network for every pixel. This is not needed: v at row i depends only on the
rows above, so it is computed for the whole row once these are known. h at a place depends on v and on the
places to its left, so it is computed once, when that place is reached:

(PIX.9)   vˡ[i] = vˡ⁻¹[i] + Σ_uv r(vˡ⁻¹)[i + u, · + v]·Vˡ[u, v]          once a row, over the taps of the mask
(PIX.10)  hˡ[i, j] = hˡ⁻¹[i, j] + Σ_v r(hˡ⁻¹)[i, j + v]·Hˡ[v] + r(vˡ)[i, j]·Lˡ          once a pixel

Over all pixels, this costs one pass through the network instead of D. Derived in docs/autoregressive.md.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from scratchgen.distributions import Bernoulli


class Convolutional(Protocol):
    """What sampling needs of a PixelCNN."""

    shape: tuple[int, int, int]
    net: Any

    def logits(self, x: np.ndarray) -> tuple[np.ndarray, Any]: ...


class Canvas:
    """The input of one convolution, with the zeros of its padding."""

    def __init__(self, n: int, shape: tuple[int, int], layer: Any, dtype: Any):
        (self.pad_h, self.pad_w), (height, width) = layer.window.padding, shape
        size = (n, height + 2 * self.pad_h, width + 2 * self.pad_w, layer.in_channels)
        self.values, self.layer = np.zeros(size, dtype), layer
        self.taps = [(u, v, layer.weight.value[u, v]) for u, v in np.argwhere(layer.mask)]

    def write(self, i: int, j: int, values: np.ndarray) -> None:
        """Write (N, width, C) to row i, from column j on."""
        j += self.pad_w
        self.values[:, i + self.pad_h, j : j + values.shape[1]] = values

    def convolved(self, i: int, j: int, width: int) -> np.ndarray:
        """The convolution at `width` places of row i, from column j on, (N, width, C_out)."""
        total = self.layer.bias.value
        for u, v, weight in self.taps:
            total = total + self.values[:, i + u, j + v : j + v + width] @ weight
        return total


def fill(model: Convolutional, uniform: np.ndarray, known: int, x: np.ndarray) -> None:
    """Sample the pixels of x (N, D) after the first `known`; pixel d is 1 where uniform[:, d] < σ(logit)."""
    height, width = model.shape[:2]
    net: Any = model.net
    relu: Any = lambda a: np.maximum(a, 0)  # noqa: E731
    vertical, horizontal = (
        [Canvas(len(x), (height, width), layer, x.dtype) for layer in stack.layers]
        for stack in (net.vertical, net.horizontal)
    )
    links: list[Any] = net.link.layers
    link = [(layer.masked_weight()[0, 0], layer.bias.value) for layer in links]
    out, out_bias = net.out.masked_weight()[0, 0], net.out.bias.value
    for i in range(height):
        rv: list[np.ndarray] = []
        v: Any = 0
        for layer, canvas in enumerate(vertical):
            if layer > 0:
                canvas.write(i, 0, rv[-1])
            v = v + canvas.convolved(i, 0, width)                                       # (PIX.9)
            rv.append(relu(v))                                  # (N, W, C)
        above = [r @ weight + bias for r, (weight, bias) in zip(rv, link, strict=True)]
        for j in range(width):
            d = i * width + j
            h: Any = 0
            for layer, canvas in enumerate(horizontal):
                if layer > 0:
                    canvas.write(i, j, relu(h))
                h = h + canvas.convolved(i, j, 1) + above[layer][:, j : j + 1]          # (PIX.10)
            if d >= known:
                logit = (relu(h) @ out + out_bias)[:, 0, 0]
                x[:, d] = Bernoulli.sample(logit, uniform[:, d])
            for canvas in (vertical[0], horizontal[0]):
                canvas.write(i, j, x[:, d, None, None])


def fill_naively(model: Convolutional, uniform: np.ndarray, known: int, x: np.ndarray) -> None:
    """Do what `fill` does with one full forward pass per pixel. Tests compare `fill` with it."""
    x[:, known:] = 0
    for d in range(known, x.shape[1]):
        x[:, d] = Bernoulli.sample(model.logits(x)[0][:, d], uniform[:, d])
