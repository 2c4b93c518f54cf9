"""Drawing from a MADE: pixel after pixel, and as little as possible computed for each.

The plain way asks the whole net for D logits, D times, and uses one of them each time. But what a pixel
changes is little. Let h, with the units sorted by degree, be the hidden layer; place t + 1 comes next:

(MADE.8)   a¹ ← a¹ + x_e·W¹[e]                 when pixel e is drawn: one row, for the units that see it
(MADE.9)   hₖ = max(aₖ, 0) once and for all    for a unit of degree t, as soon as t pixels are drawn
(MADE.10)  logit_d = h[complete]·W²[complete, d] + b_d        a dot product over the units of degree ≤ t

Over all pixels that is one pass through the net, not D. Derived in docs/autoregressive.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen import kernels
from scratchgen.distributions import Bernoulli


def draw(model: Any, uniform: np.ndarray, known: int, ordering: int, y: Any, x: np.ndarray) -> None:
    """Fill x (N, D), whose pixels at the first `known` places of the ordering are given, by (MADE.8) to (10).

    uniform (N, D), by place: the pixel at place t is 1 where uniform[:, t − 1] < σ(logit).
    """
    pixels = np.argsort(model.orders[ordering])                 # (D,) which pixel stands at each place
    degrees = model.layer_degrees(ordering)
    units = [np.argsort(m, kind="stable") for m in degrees]
    places = np.arange(len(pixels))
    ends = tuple(np.searchsorted(np.sort(m), places, side="right") for m in degrees)
    onehot, starts, weights = model.onehot(y, len(x)), [], []
    rows = pixels
    for i, columns in enumerate([*units, pixels]):
        layer = model.net.layers[i]
        term = model.net.labels[i].forward(onehot)[0] if model.classes else np.zeros((len(x), 1), x.dtype)
        starts.append(np.ascontiguousarray((term + layer.bias.value)[:, columns]))
        weights.append(layer.weight.value[np.ix_(rows, columns)])
        rows = columns
    upper = tuple(np.ascontiguousarray(w.T) for w in weights[1:])
    placed = np.ascontiguousarray(x[:, pixels])
    kernels.autoregressive.made_draw(uniform, known, weights[0], upper, ends, tuple(starts), placed)
    x[:, pixels] = placed


def draw_naively(model: Any, uniform: np.ndarray, known: int, ordering: int, y: Any, x: np.ndarray) -> None:
    """The same draw by a whole pass of the net for every pixel: what `draw` is tested and timed against."""
    pixels = np.argsort(model.orders[ordering])
    x[:, pixels[known:]] = 0
    for t in range(known, len(pixels)):
        logits, _ = model.logits(x, y, ordering)
        x[:, pixels[t]] = Bernoulli.sample(logits[:, pixels[t]], uniform[:, t])
