"""The base of models of text: the chain rule of probability, and the measures that follow from it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from scratchgen.array_hints import text_hint
from scratchgen.data.bpe import BytePairTokenizer
from scratchgen.data.text import Alphabet
from scratchgen.data.untrusted import shown
from scratchgen.models.base import Estimator

NextCharacter = Callable[[np.ndarray], np.ndarray]


class TextModel(Estimator):
    """A model of the probability of each character given those before it.

    (TXT.1)  log p(text) = Σ_i log p(c_i | c_1 … c_{i−1})              in nats, exact
    (TXT.2)  score       = 1/L · log p(text)                           averaged over the L characters
    (TXT.3)  perplexity  = exp(−score)                                 the effective number of choices
    (TXT.4)  bits        = −score / log 2                              bits per character, compressed

    If the model reads tokens of several characters, (TXT.1) runs over the tokens of the text, and L is still
    its number of characters. So the score can be compared with that of a model of characters. A text can be
    written with other tokens too, and p(text) counts only those that the tokenizer gives.

    Derived in docs/attention.md.
    """

    likelihood = "exact"
    alphabet: Alphabet | BytePairTokenizer

    def log_probabilities(self, text: str) -> np.ndarray:
        """log p(c_i | c_1 … c_{i−1}) in nats of each character (or token) of a text, (L,)."""
        return self._log_probabilities("log_probabilities", text)

    def log_likelihood(self, text: str) -> float:
        """log p(text) in nats."""
        return self._log_likelihood("log_likelihood", text)

    def score(self, text: str) -> float:
        """The mean log-probability of a text's characters in nats; higher is better."""
        return self._score("score", text)

    def perplexity(self, text: str) -> float:
        """exp(−score): a uniform choice among this many characters would be equally uncertain."""
        return math.exp(-self._score("perplexity", text))                       # (TXT.3)

    def bits(self, text: str) -> float:
        """Bits per character: the size of the text if it is compressed with this model's predictions."""
        return -self._score("bits", text) / math.log(2)                         # (TXT.4)

    def next_character(self, n: int) -> NextCharacter:
        """A function that predicts the next character of n texts, which grow from call to call.

        It takes texts as integers, (n, L), and returns log p of each possible next character, (n, V).
        """
        raise TypeError(f"{type(self).__name__} has no next_character")

    # In these methods, `method` is the name of the public method that was called. It appears in error
    # messages.

    def _log_probabilities(self, method: str, text: str) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} has no log_probabilities")

    def _log_likelihood(self, method: str, text: str) -> float:
        return float(self._log_probabilities(method, text).sum(dtype=np.float64))   # (TXT.1)

    def _score(self, method: str, text: str) -> float:
        return self._log_likelihood(method, text) / len(text)                   # (TXT.2)

    def _ids(self, method: str, text: str, least: int = 1) -> np.ndarray:
        """The characters (or tokens) of a text as integers, (L,).

        Raises TypeError for anything but a string, and ValueError for a text that is shorter than `least` or
        has characters outside the alphabet.
        """
        who = self._who(method)
        if not isinstance(text, str):
            raise TypeError(f"{who} expected a string, got {type(text).__name__}{text_hint(text)}")
        if len(text) < least:
            raise ValueError(f"{who} expected at least one character, got an empty text")
        known = set(self.alphabet.characters) if isinstance(self.alphabet, Alphabet) else set(text)
        for unknown in sorted(set(text) - known)[:1]:
            raise ValueError(
                f"{who} got an unknown character {unknown!r} (U+{ord(unknown):04X}) at position "
                f"{text.index(unknown)}: replace or remove it, or build the model with an alphabet that has "
                f"it; the alphabet is {shown(''.join(sorted(known)))}"
            )
        return self.alphabet.encode(text)
