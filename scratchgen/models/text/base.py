"""What models of text share: the chain rule of probability, and the measures that come out of it."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.data.text import Alphabet
from scratchgen.models.base import Estimator


class TextModel(Estimator):
    """A model that gives each character a probability, given those before it.

    (TXT.1)  log p(text) = Σ_i log p(c_i | c_1 … c_{i−1})              in nats, exact
    (TXT.2)  score       = 1/L · log p(text)                           L characters; averaged, not summed
    (TXT.3)  perplexity  = exp(−score)                                 so many equally likely characters
    (TXT.4)  bits        = −score / log 2                              the size of a compressed character

    Derived in docs/attention.md.
    """

    likelihood = "exact"
    alphabet: Alphabet

    def log_probabilities(self, text: str) -> np.ndarray:
        """log p(c_i | c_1 … c_{i−1}) of each character of a text, (L,) in nats."""
        raise TypeError(f"{type(self).__name__} has no log_probabilities")

    def log_likelihood(self, text: str) -> float:
        """log p(text) in nats."""
        return float(self.log_probabilities(text).sum(dtype=np.float64))        # (TXT.1)

    def score(self, text: str) -> float:
        """The mean log-probability of a text's characters in nats; the higher the better."""
        return self.log_likelihood(text) / len(text)                            # (TXT.2)

    def perplexity(self, text: str) -> float:
        """Of how many equally likely characters the model would be as unsure as it is of these."""
        return math.exp(-self.score(text))                                      # (TXT.3)

    def bits(self, text: str) -> float:
        """Bits per character: the length of a text compressed by this model, over its own length."""
        return -self.score(text) / math.log(2)                                  # (TXT.4)

    def _ids(self, verb, text):
        """A text's numbers; an empty text has no likelihood that one could average."""
        ids = self.alphabet.encode(text)
        if not len(ids):
            who = f"{type(self).__name__}.{verb}"
            raise ValueError(f"{who} expected at least one character, got an empty text")
        return ids
