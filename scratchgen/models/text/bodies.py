"""The part of a character model between the embedding and the head: attention, or recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.layers import GRU, LSTM, RNN, Dropout, Sequential, TransformerBlock
from scratchgen.layers.recurrent import Recurrent

CELLS: dict[str, type[Recurrent]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
BODIES = ("transformer", *CELLS)


class RecurrentBody(Sequential):
    """Recurrent layers one after another, each followed by dropout. They can go on from given states."""

    def read(self, h: np.ndarray, states: list[Any] | None) -> tuple[np.ndarray, list[Any]]:
        """Continue with h (N, T, C) from the states, or from zeros for None. Return (out, new states).

        Steps that are read in parts have the same out as in one forward pass, without dropout.
        """
        recurrent: list[Any] = self.layers[::2]
        after = []
        for layer, state in zip(recurrent, states or [None] * len(recurrent), strict=True):
            h, cache = layer.forward(h, state=state)
            after.append(cache.state)
        return h, after


def build_body(
    body: str,
    features: int,
    heads: int,
    depth: int,
    *,
    rotary: bool,
    dropout: float,
    weight_dropout: float,
    shared_dropout: bool,
    rng: np.random.Generator,
    dtype: Any,
) -> Sequential:
    """The body of this name, (N, T, C) -> (N, T, C): `depth` transformer blocks or recurrent layers."""
    kind: dict[str, Any] = {"rng": rng, "dtype": dtype}
    if body == "transformer":
        kind |= {"rotary": rotary, "dropout": dropout}
        return Sequential(*(TransformerBlock(features, heads, **kind) for _ in range(depth)))
    axis = 1 if shared_dropout else None
    layers: list[Any] = []
    for _ in range(depth):
        cell = CELLS[body](features, features, weight_dropout=weight_dropout, **kind)
        layers += [cell, Dropout(dropout, shared_axis=axis, rng=rng.spawn(1)[0])]
    return RecurrentBody(*layers)
