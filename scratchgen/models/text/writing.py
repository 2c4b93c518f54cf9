"""Sample text character by character, with cached keys and values or with a full forward pass for each."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Transformer(Protocol):
    """What sampling needs of a CharacterModel."""

    window: int
    characters: Any
    positions: Any
    blocks: Any
    norm: Any
    head: Any

    @property
    def kept(self) -> int: ...
    @property
    def dtype(self) -> Any: ...
    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]: ...


def window_start(size: int, kept: int, length: int) -> int:
    """The start of the window that predicts the character after `length` others.

    The first window starts at 0 and holds `size` characters; each later one starts with the last `kept`
    characters of the previous one.
    """
    return 0 if length < size else ((length - size) // (size - kept) + 1) * (size - kept)


class FullWriter:
    """The logits of the next character from a full forward pass over the window, for comparison in tests."""

    def __init__(self, model: Transformer):
        self.model = model

    def next_logits(self, text: np.ndarray) -> np.ndarray:
        """Logits of the character after text (n, L): (n, V)."""
        model = self.model
        seen = text[:, window_start(model.window, model.kept, text.shape[1]) :]
        placeholder = np.zeros((len(text), 1), text.dtype)      # forward shifts by one and never uses it
        return model.forward(np.concatenate([seen, placeholder], axis=1))[0][:, -1]


class Writer:
    """The logits of the next character with cached keys and values: only one new position is computed.

    Earlier positions do not depend on later ones, so their keys and values stay valid as long as the window
    does not move. When it moves, every character gets another position, and all keys and values are computed
    again.
    """

    def __init__(self, model: Transformer, n: int):
        self.model, self.start, self.filled = model, -1, 0     # no window yet
        blocks: list[Any] = model.blocks.layers
        attention = blocks[0].attention
        shape = (n, attention.heads, model.window, attention.features // attention.heads)
        self.keys = [np.empty(shape, model.dtype) for _ in blocks]
        self.values = [np.empty(shape, model.dtype) for _ in blocks]

    def next_logits(self, text: np.ndarray) -> np.ndarray:
        """Logits of the character after text (n, L), which continues that of the last call: (n, V)."""
        model, length = self.model, text.shape[1]
        start = window_start(model.window, model.kept, length)
        position = length - start               # of the next character
        if self.filled != position or self.start != start:
            return self._read(text[:, start:], start)
        h = model.characters.forward(text[:, -1])[0] + model.positions.weight.value[position]
        blocks: list[Any] = model.blocks.layers
        for block, keys, values in zip(blocks, self.keys, self.values, strict=True):
            h = block.step(h, keys, values, position)
        self.filled = position + 1
        return model.head.forward(model.norm.forward(h)[0])[0]

    def _read(self, seen: np.ndarray, start: int) -> np.ndarray:
        """Run a forward pass over the window, and cache its keys and values."""
        placeholder = np.zeros((len(seen), 1), seen.dtype)
        logits, cache = self.model.forward(np.concatenate([seen, placeholder], axis=1))
        self.start, self.filled = start, seen.shape[1] + 1
        blocks: list[Any] = self.model.blocks.layers
        for i, block in enumerate(blocks):
            _, k, v = block.attention.split(cache.blocks[i].attention.qkv)
            self.keys[i][:, :, : self.filled], self.values[i][:, :, : self.filled] = k, v
        return logits[:, -1]
