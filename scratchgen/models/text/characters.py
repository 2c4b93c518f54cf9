"""A character language model: attention over what was written, softmax over what comes next."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_no_labels
from scratchgen.data.text import Alphabet, RandomCrop, windows
from scratchgen.layers import Embedding, LayerNorm, Linear, Sequential, TransformerBlock
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.base import Model
from scratchgen.models.text.base import TextModel
from scratchgen.models.text.writing import FullWriter, Writer
from scratchgen.training.loop import Callback
from scratchgen.training.schedules import Rate


class CharacterModel(TextModel, Model):
    """A decoder-only transformer (Vaswani et al. 2017; Radford et al. 2019) that reads and writes characters.

    A window x is T characters in a row. What goes in is shifted by one, so that position t knows the
    characters before t and is asked for character t; position 0 knows only that a window starts there.

    (CHR.1)  inputs  = [start, x₀ … x_{T−2}]                (N, T)
    (CHR.2)  h₀      = W_characters[inputs] + W_positions   (N, T, C)
    (CHR.3)  logits  = norm(blocks(h₀))·W_head + b          (N, T, V)
    (CHR.4)  loss    = −1/(N·T) · Σ log softmax(logits)_x   nats a character, averaged over all of them
    (CHR.5)  dlogits = 1/(N·T) · (softmax(logits) − onehot(x))
    (CHR.6)  dW_positions = Σₙ dh₀                          a position's row is used once by every example

    The head is a table of its own, not the embedding's transpose. Windows are cut anywhere, so p(x₀ | start)
    is how often a character occurs. A text longer than the window is read in windows that each begin with the
    last T // 2 characters of the one before: each character is predicted from at least that many (the first
    ones from all there are), and scoring and writing do the same. Derived in docs/attention.md.

    alphabet : an Alphabet, whose length is V
    window, features, heads, depth : T, C, the heads of each block's attention, and the number of blocks
    dropout : the share of the blocks' branches that training switches off

    Raises ValueError for a window below 2, and what the layers raise.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        *,
        window: int = 64,
        features: int = 64,
        heads: int = 4,
        depth: int = 2,
        dropout: float = 0.0,
        rng: np.random.Generator,
        dtype: Any = np.float32,
    ):
        if not isinstance(alphabet, Alphabet):
            raise TypeError(f"CharacterModel expected an Alphabet, got {type(alphabet).__name__}")
        if window < 2 or depth < 1:
            raise ValueError(f"CharacterModel expected window >= 2 and depth >= 1, got {window} and {depth}")
        self.alphabet, self.window = alphabet, window
        kind: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.characters = Embedding(len(alphabet) + 1, features, **kind)    # the last row is the start
        self.positions = Embedding(window, features, **kind)
        self.blocks = Sequential(
            *(TransformerBlock(features, heads, dropout=dropout, **kind) for _ in range(depth))
        )
        self.norm = LayerNorm(features, dtype=dtype)
        self.head = Linear(features, len(alphabet), **kind)

    def forward(self, x, training=False):
        """Logits of every character of windows x (N, T) given those before it: ((N, T, V), cache)."""
        self._expect_windows("forward", x)
        start = np.full((len(x), 1), len(self.alphabet))
        inputs = np.concatenate([start, x[:, :-1]], axis=1)                     # (CHR.1)
        h, characters = self.characters.forward(inputs)
        places, positions = self.positions.forward(np.arange(x.shape[1]))
        h += places                                                             # (CHR.2)
        h, blocks = self.blocks.forward(h, training)
        h, norm = self.norm.forward(h)
        logits, head = self.head.forward(h)                                     # (CHR.3)
        return logits, (characters, positions, blocks, norm, head)

    def loss(self, x, *, rng=None, training=False):
        """Return (loss, cache) for windows x (N, T) of character numbers: nats a character."""
        logits, cache = self.forward(x, training)
        rows = logits.reshape(-1, len(self.alphabet))
        loss, drows = softmax_cross_entropy(rows, x.reshape(-1))                # (CHR.4, CHR.5)
        return loss, (*cache, drows.reshape(logits.shape))

    def backward(self, cache):
        """Add the parameters' gradients; return dlogits (N, T, V), and dh (N, T, C) at the blocks' ends."""
        characters, positions, blocks, norm, head, dlogits = cache
        dh = self.head.backward(dlogits, head)
        dout = self.norm.backward(dh, norm)
        dh = self.blocks.backward(dout, blocks)
        self.positions.backward(dh.sum(axis=0), positions)                      # (CHR.6)
        self.characters.backward(dh, characters)
        return {"dlogits": dlogits, "dout": dout, "dh": dh}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, None]:
        """Turn a text into overlapping stretches of about two windows, from which `prepare` cuts windows."""
        expect_no_labels(self._who("fit"), y)
        ids = self._ids("fit", X)
        if len(ids) < self.window:
            raise ValueError(
                f"CharacterModel.fit expected a text of at least one window, {self.window} characters, "
                f"got {len(ids)}"
            )
        return windows(ids, min(2 * self.window - 1, len(ids)), self.window), None

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Cut a window at a random place out of each row."""
        (x,) = batch
        return (x if x.shape[1] <= self.window else RandomCrop(self.window)(x, rng=rng),)

    def fit(  # type: ignore[override]  # X is a string here
        self,
        X: str,
        y: None = None,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int = 128,
        lr: float | Rate = 1e-3,
        drop_last: bool = False,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
    ) -> Self:
        """Train with Adam on windows of a text; return the model. The arguments are those of Model.fit.

        X : a string of at least T characters. An epoch cuts as many windows as cover the text, each at a
        random place; the last T or so characters of the text are used less often than the others.
        """
        self.trainer(
            X, y, epochs=epochs, rng=rng, batch_size=batch_size, lr=lr, drop_last=drop_last,  # type: ignore
            callbacks=callbacks, validate=validate,
        ).run()
        return self

    def score_samples(self, X):
        """log p(x) in nats, one a window, for X (N, T) of character numbers; T up to the model's window."""
        self._expect_windows("score_samples", X)
        return self._window_log_probabilities(X).sum(axis=1)

    def log_probabilities(self, text):
        """log p(c_i | what stands before it) of each character of a text, (L,) in nats."""
        ids, size, kept = self._ids("log_probabilities", text), self.window, self.kept
        if len(ids) <= size:
            return self._window_log_probabilities(ids[None])[0]
        hop = size - kept
        missing = -(len(ids) - size) % hop      # the last window is filled up: no earlier character sees that
        padded = np.concatenate([ids, np.zeros(missing, ids.dtype)])
        found = self._window_log_probabilities(windows(padded, size, hop))
        return np.concatenate([found[0], found[1:, kept:].reshape(-1)])[: len(ids)]

    @property
    def kept(self) -> int:
        """How many characters a new window takes over from the one before."""
        return self.window // 2

    def sample(self, n, *, rng, length=None, prompt="", temperature=1.0, cached=True):
        """n texts as numbers, (n, length), drawn character by character after `prompt`, which is not in them.

        length : a window's by default; it may be any
        temperature : logits are divided by it; below 1 likely characters become likelier still
        cached : keep each position's keys and values. Without, all is computed anew for each character: the
            same draws, slowly.

        ``alphabet.decode(row)`` makes a text of one. Raises ValueError for a prompt with a character that the
        alphabet lacks.
        """
        length = self.window if length is None else length
        if n < 1 or length < 1:
            raise ValueError(f"CharacterModel.sample expected n >= 1 and length >= 1, got {n} and {length}")
        if not 0 < temperature < math.inf:
            raise ValueError(f"CharacterModel.sample expected a finite temperature > 0, got {temperature}")
        before = self.alphabet.encode(prompt)
        text = np.concatenate([np.tile(before, (n, 1)), np.zeros((n, length), np.int64)], axis=1)
        writer = Writer(self, n) if cached else FullWriter(self)
        for i in range(len(before), text.shape[1]):
            logits = writer.next_logits(text[:, :i])                            # (n, V)
            text[:, i] = draw(logits / np.float64(temperature), rng.random(n))
        return text[:, len(before) :]

    def write(self, length, *, rng, prompt="", temperature=1.0):
        """One text of `length` characters after `prompt`, with the prompt at its head."""
        drawn = self.sample(1, rng=rng, length=length, prompt=prompt, temperature=temperature)
        return prompt + self.alphabet.decode(drawn[0])

    def _window_log_probabilities(self, X):
        """log p of each character of windows (N, T), in parts so that memory does not grow with N."""
        found = []
        for start in range(0, len(X), 64):
            x = X[start : start + 64]
            logits = self.forward(x)[0].astype(np.float64)                      # (B, T, V)
            logits -= logits.max(axis=2, keepdims=True)
            log_norm = np.log(np.exp(logits).sum(axis=2))
            found.append(np.take_along_axis(logits, x[:, :, None], axis=2)[:, :, 0] - log_norm)
        return np.concatenate(found)

    def _expect_windows(self, verb, x):
        who = f"CharacterModel.{verb}"
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu":
            got = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
            raise TypeError(f"{who} expected integers, as alphabet.encode gives them, got {got}")
        if x.ndim != 2 or not len(x) or not 1 <= x.shape[1] <= self.window:
            raise ValueError(f"{who} expected windows (N, T) with T of 1 to {self.window}, got {x.shape}")
        if x.min() < 0 or x.max() >= len(self.alphabet):
            last = len(self.alphabet) - 1
            raise ValueError(f"{who} expected numbers within 0..{last}, got {x.min()} to {x.max()}")


def draw(logits: np.ndarray, u: np.ndarray) -> np.ndarray:
    """One draw from each row's softmax, by the inverse of its distribution function: (n, V), (n,) -> (n,)."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    reached = np.cumsum(p, axis=1)
    return (reached[:, :-1] <= u[:, None] * reached[:, -1:]).sum(axis=1)
