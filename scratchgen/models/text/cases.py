"""The gradient cases of layers and models whose input is integers: embeddings, and models of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.data.text import Alphabet
from scratchgen.gradcheck.cases import ONE_EPOCH, Build, Example, ModelCase
from scratchgen.gradcheck.checker import SMOOTH, check_model
from scratchgen.gradcheck.differences import Result
from scratchgen.layers import Embedding, Layer
from scratchgen.models.text import CharacterModel, NGram, TextMixture, translation_cases
from scratchgen.models.text.bodies import CELLS
from scratchgen.module import Module, Parameter


class _Summed(Module):
    """An embedding as a model: its loss is ⟨out, u⟩ for a fixed random u."""

    def __init__(self, layer: Layer, ids: np.ndarray, rng: np.random.Generator):
        self.layer, self.ids = layer, ids
        self.u = rng.standard_normal(layer.forward(ids)[0].shape)

    def parameters(self) -> dict[str, Parameter]:
        return self.layer.parameters()

    def loss(self) -> tuple[float, Any]:
        out, cache = self.layer.forward(self.ids)
        return float((out * self.u).sum()), cache

    def backward(self, cache: Any) -> None:
        self.layer.backward(self.u.copy(), cache)


@dataclass(frozen=True)
class TableCase:
    """A layer that looks up ids in a table with `rows` rows, and the shape of the ids."""

    name: str
    build: Build
    rows: int
    shape: tuple[int, ...]
    smooth: bool = True

    def run(self) -> list[Result]:
        """Check the gradient of the table along random lines. Ids have no gradient."""
        rng = np.random.default_rng(20)
        layer, ids = self.build(rng, np.float64), rng.integers(self.rows, size=self.shape)
        model = _Summed(layer, ids, rng)
        return check_model(model, model.loss, rng=rng, tolerance=SMOOTH)


@dataclass(frozen=True)
class TextCase(ModelCase):
    """A model of text; `classes` is the size of its alphabet, and its data are integers below that."""

    def make(self) -> tuple[Any, tuple[np.ndarray, ...], np.random.Generator]:
        """Return the model in float64, windows of integers, and a generator."""
        rng = np.random.default_rng(20)
        model, x = self.build(rng, np.float64), rng.integers(self.classes, size=self.shape)
        for p in model.parameters().values():   # away from the initial 0 of biases and 1 of scales
            p.value += 0.3 * rng.standard_normal(p.shape)
        return model, (x,), rng

    def run(self) -> list[Result]:
        """Check the gradients along random lines, for each parameter array and for all together."""
        model, (x,), rng = self.make()

        def loss() -> tuple[float, Any]:
            return model.loss(x, training=True)

        return check_model(model, loss, rng=rng, tolerance=SMOOTH)


def _characters(rng: np.random.Generator, dtype: Any, **settings: Any) -> CharacterModel:
    settings = {"window": 4, "features": 6, "heads": 2, "depth": 2} | settings
    return CharacterModel(Alphabet("abcde"), rng=rng, dtype=dtype, **settings)


def _recurrent(body: str) -> Build:
    return lambda rng, dtype: _characters(rng, dtype, body=body, dropout=0.3)


LAYERS = (
    TableCase("Embedding", lambda rng, dtype: Embedding(5, 3, rng=rng, dtype=dtype), 5, (7,)),
    TableCase("Embedding of sequences", lambda rng, dtype: Embedding(5, 3, rng=rng, dtype=dtype), 5, (2, 7)),
)

MODELS = (
    TextCase("CharacterModel", _characters, (3, 4), classes=5),
    TextCase(
        "CharacterModel dropout, short windows",
        lambda rng, dtype: _characters(rng, dtype, depth=1, dropout=0.3),
        (5, 3),
        classes=5,
    ),
    TextCase(
        "CharacterModel rotary, input dropout",
        lambda rng, dtype: _characters(rng, dtype, features=8, rotary=True, input_dropout=0.3),
        (3, 4),
        classes=5,
    ),
    TextCase(
        "CharacterModel lstm, shared dropout",
        lambda rng, dtype: _characters(
            rng, dtype, body="lstm", dropout=0.3, input_dropout=0.3, weight_dropout=0.3, shared_dropout=True
        ),
        (3, 4),
        classes=5,
    ),
    *(TextCase(f"CharacterModel {body}, dropout", _recurrent(body), (3, 4), classes=5) for body in CELLS),
    *translation_cases.MODELS,
)

TEXT = "abcabcbca" * 5
EXAMPLES = (
    Example(
        "CharacterModel",
        lambda rng: CharacterModel(
            Alphabet("abc"), window=4, features=6, heads=2, depth=1, dropout=0.1, rng=rng
        ),
        fit=ONE_EPOCH,
        text=TEXT,
    ),
    Example("NGram", lambda rng: NGram(Alphabet("abc"), 3), text=TEXT),
    Example(
        "TextMixture",
        lambda rng: TextMixture([
            CharacterModel(Alphabet("abc"), window=4, features=6, heads=2, depth=1, rng=rng),
            NGram(Alphabet("abc"), 3).fit("abcabca"),
        ]),
        text=TEXT,
    ),
)
