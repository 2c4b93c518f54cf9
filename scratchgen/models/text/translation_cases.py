"""The gradient cases of the translation model, with sentences of different lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.data.pairs import END, Vocabulary
from scratchgen.gradcheck.cases import ModelCase
from scratchgen.gradcheck.checker import SMOOTH, check_model
from scratchgen.gradcheck.differences import Result
from scratchgen.models.text.translator import Translator


@dataclass(frozen=True)
class PairsCase(ModelCase):
    """A model of pairs of sentences; `shape` is (N, S, T), and `classes` the size of both vocabularies."""

    def make(self) -> tuple[Any, tuple[np.ndarray, ...], np.random.Generator]:
        """Return the model in float64, sentences and their translations, and a generator."""
        rng = np.random.default_rng(20)
        model = self.build(rng, np.float64)
        n, *sizes = self.shape
        x, y = (_sentences(rng, self.classes, n, size) for size in sizes)
        for p in model.parameters().values():   # away from the initial 0 of biases and 1 of scales
            p.value += 0.3 * rng.standard_normal(p.shape)
        return model, (x, y), rng

    def run(self) -> list[Result]:
        """Check the gradients along random lines, for each parameter array and for all together."""
        model, (x, y), rng = self.make()

        def loss() -> tuple[float, Any]:
            return model.loss(x, y, training=True)

        return check_model(model, loss, rng=rng, tolerance=SMOOTH)


def _sentences(rng: np.random.Generator, tokens: int, n: int, longest: int) -> np.ndarray:
    """Random sentences of 2, 3, …, `longest` tokens with the end, padded."""
    ids = rng.integers(1, tokens, (n, longest))
    for i in range(n):
        ids[i, min(i + 1, longest - 1) :] = END
    return ids


def _translator(body: str, dropout: float) -> Any:
    words = Vocabulary(list("abcd"))
    return lambda rng, dtype: Translator(
        words, words, length=5, features=6, heads=2, depth=1, body=body, dropout=dropout, rng=rng, dtype=dtype
    )


MODELS = (
    PairsCase("Translator", _translator("transformer", 0.0), (3, 4, 3), classes=5),
    PairsCase("Translator dropout", _translator("transformer", 0.3), (2, 3, 3), classes=5),
    PairsCase("Translator gru, dropout", _translator("gru", 0.3), (3, 4, 3), classes=5),
    PairsCase("Translator lstm", _translator("lstm", 0.0), (3, 4, 3), classes=5),
)
