"""Sampling from a MADE, pixel by pixel, with little computation for each.

The naive way computes all D logits D times and uses one of them each time. But a new pixel changes little.
Let h be the hidden layer, with its units sorted by degree, and let place t + 1 be the next one:

(MADE.8)   a¹ ← a¹ + x_e·W¹[e]                 when pixel e is known: one row of W¹
(MADE.9)   hₖ = max(aₖ, 0) once and for all    for a unit of degree t, once t pixels are known
(MADE.10)  logit_d = h[complete]·W²[complete, d] + b_d        a dot product over the units of degree ≤ t

Over all pixels that is one pass through the network instead of D. Derived in docs/autoregressive.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import kernels
from scratchgen.distributions import Bernoulli

if TYPE_CHECKING:
    from scratchgen.models.autoregressive.made import MADE


def fill(
    model: MADE, uniform: np.ndarray, known: int, ordering: int, y: np.ndarray | None, x: np.ndarray
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
    kernels.autoregressive.made_draw(uniform, known, weights[0], upper, ends, tuple(starts), placed)
    x[:, pixels] = placed


def fill_naively(
    model: MADE, uniform: np.ndarray, known: int, ordering: int, y: np.ndarray | None, x: np.ndarray
) -> None:
    """The same with a whole pass of the network for every pixel; `fill` is tested against it."""
    pixels = np.argsort(model.orders[ordering])
    x[:, pixels[known:]] = 0
    for t in range(known, len(pixels)):
        logits, _ = model.logits(x, y, ordering)
        x[:, pixels[t]] = Bernoulli.sample(logits[:, pixels[t]], uniform[:, t])
