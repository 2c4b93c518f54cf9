"""Sample text character by character: with cached keys and values, a carried state, or full passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from scratchgen.data.bpe import BytePairTokenizer
from scratchgen.data.text import Alphabet
from scratchgen.distributions import Categorical
from scratchgen.models.text.truncation import truncated

READ_AT_ONCE = 1024     # characters of a text that are scored in one forward pass


class CharacterNetwork(Protocol):
    """What sampling needs of a CharacterModel."""

    window: int
    alphabet: Alphabet | BytePairTokenizer
    characters: Any
    positions: Any
    blocks: Any
    norm: Any
    head: Any

    @property
    def kept(self) -> int: ...
    @property
    def recurrent(self) -> bool: ...
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
    """The logits of the next character from a full forward pass, for comparison in tests.

    A transformer reads its window, a recurrent body the whole text.
    """

    def __init__(self, model: CharacterNetwork):
        self.model = model

    def next_logits(self, text: np.ndarray) -> np.ndarray:
        """Logits of the character after text (n, L): (n, V)."""
        model = self.model
        start = 0 if model.recurrent else window_start(model.window, model.kept, text.shape[1])
        seen = text[:, start:]
        placeholder = np.zeros((len(text), 1), text.dtype)      # forward shifts by one and never uses it
        return model.forward(np.concatenate([seen, placeholder], axis=1))[0][:, -1]


class Writer:
    """The logits of the next character with cached keys and values: only one new position is computed.

    Earlier positions do not depend on later ones, so their keys and values stay valid as long as the window
    does not move. When it moves, every character gets another position, and all keys and values are computed
    again.
    """

    def __init__(self, model: CharacterNetwork, n: int):
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
        h = model.characters.forward(text[:, -1])[0]
        if model.positions is not None:
            h += model.positions.weight.value[position]
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


class StateWriter:
    """The logits of the next character from the state of a recurrent body: each character is read once."""

    def __init__(self, model: CharacterNetwork):
        self.model, self.states, self.count = model, None, 0    # nothing was read

    def next_logits(self, text: np.ndarray) -> np.ndarray:
        """Logits of the character after text (n, L), which continues that of the last call: (n, V)."""
        if self.count:
            return self.read(text[:, self.count - 1 :])[:, -1]
        start = np.full((len(text), 1), len(self.model.alphabet))
        return self.read(np.concatenate([start, text], axis=1))[:, -1]

    def read(self, inputs: np.ndarray) -> np.ndarray:
        """Read inputs (n, T), and return the logits after each of them, (n, T, V)."""
        model = self.model
        h, self.states = model.blocks.read(model.characters.forward(inputs)[0], self.states)
        self.count += inputs.shape[1]
        return model.head.forward(model.norm.forward(h)[0])[0]

    def log_probabilities(self, ids: np.ndarray) -> np.ndarray:
        """log p of each character of a text ids (L,), given all before it."""
        inputs, found = np.concatenate([[len(self.model.alphabet)], ids[:-1]]), []
        for start in range(0, len(ids), READ_AT_ONCE):
            part = slice(start, start + READ_AT_ONCE)
            logits = self.read(inputs[None, part]).astype(np.float64)           # (1, T, V)
            found.append(Categorical.log_prob(ids[None, part], logits))
        return np.concatenate(found, axis=1)[0]


def continued(
    next_logits: Callable[[np.ndarray], np.ndarray],
    before: np.ndarray,
    n: int,
    length: int,
    rng: np.random.Generator,
    settings: tuple[float, int | None, float | None],
) -> np.ndarray:
    """Sample n texts of `length` characters that continue `before` (L,), as integers (n, length).

    next_logits : texts (n, L) -> logits of the next characters, (n, V)
    settings : of `truncated`
    """
    text = np.concatenate([np.tile(before, (n, 1)), np.zeros((n, length), np.int64)], axis=1)
    for i in range(len(before), text.shape[1]):
        logits = truncated(next_logits(text[:, :i]), *settings)                 # (n, V)
        text[:, i] = Categorical.sample(logits, rng.random(n))
    return text[:, len(before) :]
