"""Write a translation token by token: greedily, or with a beam. Derived in docs/translation.md."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from scratchgen.data.pairs import END
from scratchgen.distributions import Categorical


class TranslationNetwork(Protocol):
    """What writing needs of a Translator."""

    length: int
    network: Any

    def encode(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]: ...
    def embed_target(self, tokens: np.ndarray, first: int) -> tuple[np.ndarray, Any]: ...
    def predict(self, h: np.ndarray) -> tuple[np.ndarray, Any]: ...


class TokenWriter(Protocol):
    """Gives the logits of the next token of several translations."""

    def next_logits(self, tokens: np.ndarray) -> np.ndarray:
        """Append a token to each translation, (n,), and return the logits of the next one, (n, V)."""

    def select(self, rows: np.ndarray) -> None:
        """Continue with these rows; a row may occur several times."""


class CachedTokenWriter:
    """Computes one new position at a time. Keys, values and states of the earlier ones are kept."""

    def __init__(self, model: TranslationNetwork, x: np.ndarray, lengths: np.ndarray):
        self.model, self.t = model, 0
        self.state = model.network.start(model.encode(x)[0], lengths, model.length)

    def next_logits(self, tokens: np.ndarray) -> np.ndarray:
        h, _ = self.model.embed_target(tokens[:, None], self.t)
        h = self.model.network.step(h[:, 0], self.state, self.t)
        self.t += 1
        return self.model.predict(h)[0]

    def select(self, rows: np.ndarray) -> None:
        self.state = taken(self.state, rows)


class FullTokenWriter:
    """Computes all positions again for each token, for comparison in tests."""

    def __init__(self, model: TranslationNetwork, x: np.ndarray, lengths: np.ndarray):
        self.model, self.x, self.lengths = model, x, lengths
        self.inputs = np.zeros((len(x), 0), np.int64)

    def next_logits(self, tokens: np.ndarray) -> np.ndarray:
        self.inputs = np.concatenate([self.inputs, tokens[:, None]], axis=1)
        h, _ = self.model.embed_target(self.inputs, 0)
        h, _ = self.model.network.decode(h, self.model.encode(self.x)[0], self.lengths, False)
        return self.model.predict(h[:, -1])[0]

    def select(self, rows: np.ndarray) -> None:
        self.x, self.lengths, self.inputs = self.x[rows], self.lengths[rows], self.inputs[rows]


def taken(state: Any, rows: np.ndarray) -> Any:
    """The rows of all arrays in nested dicts, lists and tuples."""
    if isinstance(state, dict):
        return {name: taken(part, rows) for name, part in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(taken(part, rows) for part in state)
    return state[rows]


def greedy(writer: TokenWriter, n: int, start: int, longest: int) -> np.ndarray:
    """The likeliest token at every position: (n, L), with END behind the end."""
    tokens, ended = np.full(n, start), np.zeros(n, bool)
    written = []
    for _ in range(longest):
        tokens = np.where(ended, END, writer.next_logits(tokens).argmax(axis=1))
        written.append(tokens)
        ended |= tokens == END
        if ended.all():
            break
    return np.stack(written, axis=1)


class Hypothesis(NamedTuple):
    """A translation, as the beam search finds it.

    tokens : with END, unless it is longer than allowed
    log_p : log p(tokens | source) in nats
    score : log_p, divided by the length penalty
    """

    tokens: tuple[int, ...]
    log_p: float
    score: float


def length_divisor(length: int, alpha: float) -> float:
    """((5 + L) / 6)^α, by which log p is divided to compare translations of L tokens (Wu et al. 2016)."""
    return float(((5 + length) / 6) ** alpha)


def beam_search(writer: TokenWriter, start: int, beam: int, longest: int, alpha: float) -> list[Hypothesis]:
    """The translations of one sentence that a beam search finds, the best score first.

    (BEAM.1)  log p(y_1 … y_t | x) = log p(y_1 … y_{t−1} | x) + log p(y_t | y_1 … y_{t−1}, x)
    (BEAM.2)  kept  = the `beam` likeliest of all continuations, less the number that have ended before
    (BEAM.3)  score = log p(y | x) / ((5 + L)/6)^α                     L tokens, with the end

    In a step, all translations have the same length, so (BEAM.2) needs no penalty. With beam = 1, this is
    the greedy translation.
    """
    live = [Hypothesis((), 0.0, 0.0)]
    ended: list[Hypothesis] = []
    tokens = np.array([start])
    for length in range(1, longest + 1):
        log_p = Categorical.log_probabilities(writer.next_logits(tokens).astype(np.float64))
        totals = np.array([h.log_p for h in live])[:, None] + log_p     # (BEAM.1)  (live, V)
        best = np.argsort(-totals, axis=None, kind="stable")[: beam - len(ended)]   # (BEAM.2)
        rows, chosen = np.divmod(best, log_p.shape[1])
        divisor = length_divisor(length, alpha)
        grown = [
            Hypothesis((*live[row].tokens, int(token)), total, total / divisor)     # (BEAM.3)
            for row, token, total in zip(rows, chosen, totals.reshape(-1)[best].tolist(), strict=True)
        ]
        ended += [h for h in grown if h.tokens[-1] == END]
        live = [h for h in grown if h.tokens[-1] != END]
        if not live:
            break
        writer.select(rows[chosen != END])
        tokens = chosen[chosen != END]
    return sorted(ended + live, key=lambda h: -h.score)
