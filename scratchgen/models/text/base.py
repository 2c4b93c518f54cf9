"""The base of models of text: the chain rule of probability, and the measures that follow from it."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.data.text import Alphabet
from scratchgen.models.base import Estimator


class TextModel(Estimator):
    """A model of the probability of each character given those before it.

    (TXT.1)  log p(text) = Σ_i log p(c_i | c_1 … c_{i−1})              in nats, exact
    (TXT.2)  score       = 1/L · log p(text)                           averaged over the L characters
    (TXT.3)  perplexity  = exp(−score)                                 the effective number of choices
    (TXT.4)  bits        = −score / log 2                              bits per character, compressed

    Derived in docs/attention.md.
    """

    likelihood = "exact"
    alphabet: Alphabet

    def log_probabilities(self, text: str) -> np.ndarray:
        """log p(c_i | c_1 … c_{i−1}) in nats of each character of a text, (L,)."""
        raise TypeError(f"{type(self).__name__} has no log_probabilities")

    def log_likelihood(self, text: str) -> float:
        """log p(text) in nats."""
        return float(self.log_probabilities(text).sum(dtype=np.float64))        # (TXT.1)

    def score(self, text: str) -> float:
        """The mean log-probability of a text's characters in nats; higher is better."""
        return self.log_likelihood(text) / len(text)                            # (TXT.2)

    def perplexity(self, text: str) -> float:
        """exp(−score): a uniform choice among this many characters would be equally uncertain."""
        return math.exp(-self.score(text))                                      # (TXT.3)

    def bits(self, text: str) -> float:
        """Bits per character: the size of the text if it is compressed with this model's predictions."""
        return -self.score(text) / math.log(2)                                  # (TXT.4)

    def _ids(self, method: str, text: str) -> np.ndarray:
        """The characters of a text as integers, (L,). Raises ValueError for an empty text."""
        ids = self.alphabet.encode(text)
        if not len(ids):
            raise ValueError(f"{self._who(method)} expected at least one character, got an empty text")
        return ids
