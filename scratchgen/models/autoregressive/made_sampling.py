"""Sample from a MADE pixel by pixel, with little computation for each pixel.

The naive method computes all D logits D times and uses one of them each time. Most of that is not needed. Let
h be the hidden layer, with its units sorted by degree, and let place t + 1 be the next one:

(MADE.8)   a¹ ← a¹ + x_e·W¹[e]                 when pixel e is known: one row of W¹
(MADE.9)   hₖ = max(aₖ, 0) computed once       for a unit of degree t, once t pixels are known
(MADE.10)  logit_d = h[complete]·W²[complete, d] + b_d        a dot product over the units of degree ≤ t

Over all pixels, this costs one pass through the network instead of D. Derived in docs/autoregressive.md.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from scratchgen.distributions import Bernoulli
from scratchgen.kernels import compiled


@compiled
def fill_pixels(
    x: np.ndarray,
    uniform: np.ndarray,
    known: int,
    first: np.ndarray,
    upper: tuple[np.ndarray, ...],
    ends: tuple[np.ndarray, ...],
    starts: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Sample the columns of x (N, D) one by one, after the first `known`, which are given.

    Pixels and units are sorted: column t of x is the pixel at place t + 1, units are sorted by degree, and
    ends[l][t] units of hidden layer l have a degree of at most t. The units that depend on known pixels only
    come first, so a slice replaces each mask.

    uniform (N, D);  first (D, H₁);  upper : the later weights, transposed, (H₂, H₁), …, (D, H_L)
    starts : biases and label terms, (N, H₁), …, (N, H_L), (N, D)
    """
    x, depth = x.copy(), len(ends)
    hidden = [start.copy() for start in starts]
    for t in range(x.shape[1]):
        if t > 0:
            old, new = ends[0][t - 1], ends[0][t]
            hidden[0][:, old:] += x[:, t - 1 : t] * first[t - 1, old:]              # (MADE.8)
            hidden[0][:, old:new] = np.maximum(hidden[0][:, old:new], 0)
        for layer in range(1, depth if t > 0 else 1):
            old, new, below = ends[layer][t - 1], ends[layer][t], ends[layer - 1][t]
            a = hidden[layer][:, old:new] + hidden[layer - 1][:, :below] @ upper[layer - 1][old:new, :below].T
            hidden[layer][:, old:new] = np.maximum(a, 0)                            # (MADE.9)
        if t >= known:
            below = ends[-1][t]
            logit = hidden[depth][:, t] + hidden[depth - 1][:, :below] @ upper[-1][t, :below]  # (MADE.10)
            x[:, t] = Bernoulli.sample(logit, uniform[:, t])
    return x


class Masked(Protocol):
    """What sampling needs of a MADE."""

    orders: np.ndarray
    classes: int
    net: Any

    def layer_degrees(self, ordering: int) -> list[np.ndarray]: ...
    def onehot(self, y: np.ndarray | None, n: int) -> np.ndarray: ...
    def logits(self, x: np.ndarray, y: Any = None, ordering: int = 0) -> tuple[np.ndarray, Any]: ...


def fill(
    model: Masked, uniform: np.ndarray, known: int, ordering: int, y: np.ndarray | None, x: np.ndarray
) -> None:
    """Sample the pixels of x (N, D) after the first `known` places of the ordering, by (MADE.8) to (MADE.10).

    uniform (N, D), by place: the pixel at place t is 1 where uniform[:, t − 1] < σ(logit).
    """
    pixels = np.argsort(model.orders[ordering])                 # (D,) the pixel at each place
    degrees = model.layer_degrees(ordering)
    units = [np.argsort(m, kind="stable") for m in degrees]
    places = np.arange(len(pixels))
    ends = tuple(np.searchsorted(np.sort(m), places, side="right") for m in degrees)
    onehot, starts, weights = model.onehot(y, len(x)), [], []
    rows = pixels
    for i, columns in enumerate([*units, pixels]):
        layer: Any = model.net.layers[i]
        term = model.net.labels[i].forward(onehot)[0] if model.classes else np.zeros((len(x), 1), x.dtype)
        starts.append(np.ascontiguousarray((term + layer.bias.value)[:, columns]))
        weights.append(layer.weight.value[np.ix_(rows, columns)])
        rows = columns
    upper = tuple(np.ascontiguousarray(w.T) for w in weights[1:])
    placed = np.ascontiguousarray(x[:, pixels])
    x[:, pixels] = fill_pixels(placed, uniform, known, weights[0], upper, ends, tuple(starts))


def fill_naively(
    model: Masked, uniform: np.ndarray, known: int, ordering: int, y: np.ndarray | None, x: np.ndarray
) -> None:
    """Do what `fill` does with one full forward pass per pixel. Tests compare `fill` with it."""
    pixels = np.argsort(model.orders[ordering])
    x[:, pixels[known:]] = 0
    for t in range(known, len(pixels)):
        logits, _ = model.logits(x, y, ordering)
        x[:, pixels[t]] = Bernoulli.sample(logits[:, pixels[t]], uniform[:, t])
