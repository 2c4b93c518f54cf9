"""Writing character by character: with what earlier positions left behind, or all anew each time."""

from __future__ import annotations

from typing import Any

import numpy as np


def window_start(size: int, kept: int, length: int) -> int:
    """Where the window begins that the character after `length` others is predicted in.

    The first window begins at 0 and holds `size` characters; each later one begins with the last `kept` of
    the one before.
    """
    return 0 if length < size else ((length - size) // (size - kept) + 1) * (size - kept)


class FullWriter:
    """The next character's logits from a whole forward pass each time: what a cache has to agree with."""

    def __init__(self, model: Any):
        self.model = model

    def next_logits(self, text: np.ndarray) -> np.ndarray:
        """Logits of the character after text (n, L): (n, V)."""
        model = self.model
        seen = text[:, window_start(model.window, model.kept, text.shape[1]) :]
        asked = np.zeros((len(text), 1), text.dtype)    # forward shifts by one and never looks at it
        return model.forward(np.concatenate([seen, asked], axis=1))[0][:, -1]


class Writer:
    """The same logits from keys and values that are kept, so a character costs one position and not a window.

    Nothing before a position depends on it, so what earlier ones computed stays valid for as long as the
    window stays where it is. When it moves, every character has another position: all is computed anew.
    """

    def __init__(self, model: Any, n: int):
        self.model, self.start, self.filled = model, -1, 0     # no window read yet
        attention = model.blocks[0].attention
        shape = (n, attention.heads, model.window, attention.features // attention.heads)
        self.keys = [np.empty(shape, model.dtype) for _ in model.blocks.layers]
        self.values = [np.empty(shape, model.dtype) for _ in model.blocks.layers]

    def next_logits(self, text: np.ndarray) -> np.ndarray:
        """Logits of the character after text (n, L), which goes on from that of the call before: (n, V)."""
        model, length = self.model, text.shape[1]
        start = window_start(model.window, model.kept, length)
        position = length - start               # of the character asked for
        if self.filled != position or self.start != start:
            return self._read(text[:, start:], start)
        h = model.characters.forward(text[:, -1])[0] + model.positions.weight.value[position]
        for block, keys, values in zip(model.blocks.layers, self.keys, self.values, strict=True):
            h = block.step(h, keys, values, position)
        self.filled = position + 1
        return model.head.forward(model.norm.forward(h)[0])[0]

    def _read(self, seen: np.ndarray, start: int) -> np.ndarray:
        """One forward pass over all that the window holds, whose keys and values are kept."""
        asked = np.zeros((len(seen), 1), seen.dtype)
        logits, cache = self.model.forward(np.concatenate([seen, asked], axis=1))
        self.start, self.filled = start, seen.shape[1] + 1
        for i, block in enumerate(self.model.blocks.layers):
            qkv = cache[2][i].attention.qkv     # cache[2]: the caches of the blocks
            _, k, v = block.attention.split(qkv)
            self.keys[i][:, :, : self.filled], self.values[i][:, :, : self.filled] = k, v
        return logits[:, -1]
