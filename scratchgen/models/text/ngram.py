"""The n-gram model, which predicts a character from counts after the few characters before it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.array_hints import text_hint
from scratchgen.checks import as_generator, expect_no_labels
from scratchgen.data.text import Alphabet, split_text
from scratchgen.models.arguments import count, finite, one_or_more
from scratchgen.models.text.base import NextCharacter, TextModel


class NGram(TextModel):
    """Counts after contexts of 0 … order − 1 characters, interpolated (Witten & Bell 1991).

    With n(h·c) the number of times c followed h, n(h) = Σ_c n(h·c), u(h) the number of different c, and h'
    the context h without its first character:

    (NGR.1)  p(c | h) = [n(h·c) + strength·u(h)·p(c | h')] / [n(h) + strength·u(h)]
    (NGR.2)  p(c)     = the same for the empty h, with 1 / V for p(c | h')         V characters in all

    If h was never seen, p(c | h) = p(c | h'). Each p(· | h) sums to 1, so the likelihood of a text is exact.
    strength = 1 is method C of Witten & Bell. Explained in docs/attention.md.

    alphabet : an Alphabet
    order : n, the length of the counted strings; contexts have up to n − 1 characters
    strength : weight of the shorter context

    Raises ValueError for an order below 1 and for a strength that is not positive.
    """

    alphabet: Alphabet

    def __init__(self, alphabet: Alphabet, order: int = 5, strength: float = 1.0):
        if not isinstance(alphabet, Alphabet):
            raise TypeError(f"NGram expected alphabet to be an Alphabet, got {alphabet!r}")
        self.alphabet, self.order = alphabet, count("NGram", "order", order)
        self.strength = finite("NGram", "strength", strength, above=0)
        self.counts: dict[str, Counter[str]] = {}       # context -> counts of the next character
        self.totals: dict[str, int] = {}

    @classmethod
    def tuned(
        cls,
        alphabet: Alphabet,
        text: str,
        *,
        orders: Sequence[int] = range(1, 11),
        strengths: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0),
    ) -> Self:
        """Choose order and strength by the likelihood of the last tenth of `text`, then fit to all of it.

        Every strength is tried with every order.
        """
        who = "NGram.tuned"
        if not isinstance(text, str) or not text:
            got = repr(text) if isinstance(text, str) else f"{type(text).__name__}{text_hint(text)}"
            raise ValueError(f"{who} expected text to be a string of one or more characters, got {got}")
        orders = [count(who, "orders", order) for order in one_or_more(who, "orders", orders)]
        strengths = [
            finite(who, "strengths", s, above=0) for s in one_or_more(who, "strengths", strengths)
        ]
        train, held_out = split_text(text)
        model = cls(alphabet, max(orders)).fit(train)
        scores: dict[tuple[int, float], float] = {}
        for strength in strengths:
            model.strength = strength
            by_order = np.log(model._mixtures(held_out)).mean(axis=0)
            scores |= {(order, strength): by_order[order - 1] for order in orders}
        return cls(alphabet, *max(scores, key=scores.__getitem__)).fit(text)

    def fit(self, text: str, y: None = None) -> Self:
        """Count the n-grams of a text, and replace all earlier counts; return the model."""
        expect_no_labels("NGram.fit", y)
        self._ids("fit", text)
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for i, c in enumerate(text):
            for length in range(min(self.order, i + 1)):
                counts[text[i - length : i]][c] += 1
        self.counts = dict(counts)
        self.totals = {context: seen.total() for context, seen in counts.items()}
        return self

    def saved_state(self) -> dict[str, Any]:
        """The attributes to save. The counts are saved as an array, the bytes of their JSON."""
        counts = {context: dict(seen) for context, seen in self.counts.items()}
        kept = {name: value for name, value in vars(self).items() if name != "totals"}
        return kept | {"counts": np.frombuffer(json.dumps(counts).encode(), np.uint8)}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Set the attributes that saved_state returned."""
        counts = json.loads(state["counts"].tobytes())
        vars(self).update(state)
        self.counts = {context: Counter(seen) for context, seen in counts.items()}
        self.totals = {context: seen.total() for context, seen in self.counts.items()}

    def probability(self, c: str, context: str) -> float:
        """p(c | context), which depends on the last order − 1 characters of the context.

        Raises ValueError before `fit`, for a c that is not one character of the alphabet, and for a context
        with characters outside it.
        """
        if len(self._ids("probability", c)) != 1:
            raise ValueError(f"NGram.probability expected one character, got {c!r}")
        self._ids("probability", context, least=0)
        return self._mixture(c, context[max(len(context) - self.order + 1, 0) :])[-1]

    def _log_probabilities(self, method: str, text: str) -> np.ndarray:
        self._ids(method, text)
        return np.log(self._mixtures(text)[:, -1])

    def sample(
        self, n: int, *, rng: np.random.Generator | int, length: int = 100, prompt: str = ""
    ) -> np.ndarray:
        """Sample n texts as integers, (n, length), that continue `prompt`, which is not included.

        ``alphabet.decode(row)`` turns a row into a string. Raises ValueError before `fit`, for n or length
        below 1, and for a prompt with characters outside the alphabet.
        """
        self._expect_count(n)
        count("NGram.sample", "length", length)
        rng = as_generator("NGram.sample", rng)
        self._ids("sample", prompt, least=0)
        sums: dict[str, np.ndarray] = {}        # context -> cumulative probabilities, (V,)
        texts = np.empty((n, length), np.int64)
        for row in texts:
            context = prompt
            for i, uniform in enumerate(rng.random(length)):
                context = context[max(len(context) - self.order + 1, 0) :]
                if context not in sums:
                    p = self._probabilities(context)
                    sums[context] = np.cumsum(p) / np.sum(p)
                row[i] = np.searchsorted(sums[context][:-1], uniform, side="right")
                context += self.alphabet.characters[row[i]]
        return texts

    def next_character(self, n: int) -> NextCharacter:
        """As that of TextModel. The prediction depends on the last order − 1 characters alone."""
        self._expect_count(n, "next_character")
        before = self.order - 1

        def log_probabilities(text: np.ndarray) -> np.ndarray:
            contexts = [self.alphabet.decode(row) for row in text[:, max(text.shape[1] - before, 0) :]]
            return np.log([self._probabilities(context) for context in contexts])

        return log_probabilities

    def _probabilities(self, context: str) -> list[float]:
        """p(c | context) for each c of the alphabet."""
        return [self._mixture(c, context)[-1] for c in self.alphabet.characters]

    def _mixture(self, c: str, context: str) -> list[float]:
        """p(c | the last k characters of context) for k = 0, 1, …, as long as such a context was seen."""
        if not self.counts:
            raise ValueError("NGram is not fitted yet; call fit(text) first")
        found: list[float] = []
        p = 1 / len(self.alphabet)                              # (NGR.2)
        for start in range(len(context), -1, -1):
            h = context[start:]
            if h not in self.counts:
                break
            seen, total = self.counts[h], self.totals[h]
            backoff = self.strength * len(seen)
            p = (seen.get(c, 0) + backoff * p) / (total + backoff)    # (NGR.1)
            found.append(p)
        return found

    def _mixtures(self, text: str) -> np.ndarray:
        """`_mixture` for each character of a text, (L, order); an unseen context repeats the last value."""
        before = self.order - 1
        p = np.empty((len(text), self.order))
        for i, c in enumerate(text):
            found = self._mixture(c, text[max(i - before, 0) : i])
            p[i, : len(found)], p[i, len(found) :] = found, found[-1]
        return p
