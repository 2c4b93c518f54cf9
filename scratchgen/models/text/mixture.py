"""A mixture of models of text: the weighted mean of their probabilities, with weights fitted by EM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from scratchgen.checks import Array, as_generator, expect_no_labels
from scratchgen.data.text import Alphabet
from scratchgen.models.arguments import count
from scratchgen.models.text.base import NextCharacter, TextModel
from scratchgen.models.text.truncation import expect_truncation
from scratchgen.models.text.writing import continued

STEPS, GAP = 10_000, 1e-6      # at most so many steps of EM; until the likelihood is so near to the largest


def mix(log_p: Array, weights: Array) -> Array:
    """log Σ_k w_k·p_k, (…), for log_p (K, …), the log-probabilities of K models, and weights (K,).

    (LMIX.1)  p(c | h) = Σ_k w_k·p_k(c | h)                  w_k >= 0, Σ_k w_k = 1
    """
    with np.errstate(divide="ignore"):                      # a weight may be 0
        log_w = np.log(weights).reshape(-1, *[1] * (log_p.ndim - 1))
    return np.logaddexp.reduce(log_w + log_p, axis=0)


def fit_weights(log_p: Array) -> Array:
    """The weights (K,) with the largest likelihood of a text, for log_p (K, L), by expectation-maximisation.

    (LMIX.2)  r_ki = w_k·p_k(c_i | h_i) / p(c_i | h_i)       how much of the prediction of c_i is model k's
    (LMIX.3)  w_k ← 1/L·Σ_i r_ki                             one step: the likelihood cannot fall
    (LMIX.4)  gap <= max_k 1/L·Σ_i p_k(c_i | h_i) / p(c_i | h_i) − 1

    The likelihood is concave in w, so a climb cannot end below its largest value. The gap is how far below it
    the mean of log p(c_i | h_i) still is. The steps end when the bound (LMIX.4) is at most 1e-6 nats.
    """
    weights = np.full(len(log_p), 1 / len(log_p))
    for _ in range(STEPS):
        gain = np.exp(log_p - mix(log_p, weights)).mean(axis=1)     # (K,), 1/L·Σ_i p_k / p
        if gain.max() - 1 <= GAP:                           # (LMIX.4)
            break
        weights = weights * gain                            # (LMIX.2, LMIX.3)
    return weights / weights.sum()                          # the sum is 1 but for rounding


class TextMixture(TextModel):
    """Models of the same alphabet whose probabilities are added with weights (Jelinek & Mercer 1980).

    (LMIX.1)  p(c | h) = Σ_k w_k·p_k(c | h)                  h: all characters before c

    It is a distribution, so the likelihood of a text stays exact. `fit` leaves the models as they are, and
    chooses the weights on a text that none of them was trained on. On the training text, the model that
    learnt most of it by heart would get all the weight. Mikolov et al. 2011 mix recurrent nets and an n-gram
    model in this way. Derived in docs/attention.md.

    models : two or more fitted models of text with the same Alphabet, such as CharacterModel and NGram

    weights_ : the weights w (K,); all equal before `fit`

    Raises ValueError for fewer than two models and for different alphabets.
    """

    alphabet: Alphabet

    def __init__(self, models: Sequence[TextModel]):
        if not isinstance(models, Sequence) or isinstance(models, str) or len(models) < 2:
            raise ValueError(f"TextMixture expected a list of two or more models, got {models!r}")
        self.models = list(models)
        self.alphabet = _alphabet(self.models[0])
        for model in self.models[1:]:
            other = _alphabet(model)
            if other.characters != self.alphabet.characters:
                raise ValueError(
                    f"TextMixture expected models of the same alphabet, got {self.alphabet!r} and {other!r}"
                )
        self.weights_ = np.full(len(self.models), 1 / len(self.models))

    def fit(self, text: str, y: None = None) -> Self:
        """Fit the weights to a text that no model was trained on; return the mixture."""
        expect_no_labels("TextMixture.fit", y)
        self._ids("fit", text)
        self.weights_ = fit_weights(self._each(text))
        return self

    def _log_probabilities(self, method: str, text: str) -> np.ndarray:
        self._ids(method, text)
        return mix(self._each(text), self.weights_)                             # (LMIX.1)

    def _each(self, text: str) -> np.ndarray:
        """The log-probabilities of each model, (K, L)."""
        return np.stack([model.log_probabilities(text) for model in self.models])

    def next_character(self, n: int) -> NextCharacter:
        """As that of TextModel: the next log-probabilities of each model, mixed."""
        self._expect_count(n, "next_character")
        each = [model.next_character(n) for model in self.models]

        def log_probabilities(text: np.ndarray) -> np.ndarray:
            log_p = np.stack([found(text) for found in each])                   # (K, n, V)
            return mix(log_p, self.weights_)                                    # (LMIX.1)

        return log_probabilities

    def sample(
        self,
        n: int,
        *,
        rng: np.random.Generator | int,
        length: int = 100,
        prompt: str = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> np.ndarray:
        """Sample n texts as integers, (n, length), that continue `prompt`, which is not included.

        The settings are those of CharacterModel.sample; they apply to the mixture, not to its models.
        ``alphabet.decode(row)`` turns a row into a string. Raises ValueError for a prompt with characters
        outside the alphabet.
        """
        self._expect_count(n)
        settings = temperature, top_k, top_p
        count("TextMixture.sample", "length", length)
        expect_truncation("TextMixture.sample", *settings)
        before = self._ids("sample", prompt, least=0)
        rng = as_generator("TextMixture.sample", rng)
        return continued(self.next_character(n), before, n, length, rng, settings)


def _alphabet(model: TextModel) -> Alphabet:
    """The alphabet of a model. Raises TypeError for anything but a model of single characters."""
    if not isinstance(model, TextModel) or not isinstance(model.alphabet, Alphabet):
        raise TypeError(f"TextMixture expected models of characters, got {model!r}")
    return model.alphabet
