"""The gradient cases of what takes whole numbers: the table of embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scratchgen.differences import Result
from scratchgen.gradcases.base import Build
from scratchgen.gradcheck import SMOOTH, check_model
from scratchgen.layers import Embedding, Layer


class _Summed(Layer):
    """An embedding made a model: its loss is ⟨out, u⟩ for a fixed random u."""

    def __init__(self, layer: Layer, ids: np.ndarray, rng: np.random.Generator):
        self.layer, self.ids = layer, ids
        self.u = rng.standard_normal(layer.forward(ids)[0].shape)

    def parameters(self):
        return self.layer.parameters()

    def loss(self):
        out, cache = self.layer.forward(self.ids)
        return float((out * self.u).sum()), cache

    def backward(self, cache):
        self.layer.backward(self.u.copy(), cache)


@dataclass(frozen=True)
class TableCase:
    """A layer that looks ids up in a table of `rows` rows, and the shape of the ids."""

    name: str
    build: Build
    rows: int
    shape: tuple[int, ...]
    smooth: bool = True

    def run(self) -> list[Result]:
        """The table's gradient along random lines; ids have none."""
        rng = np.random.default_rng(20)
        layer, ids = self.build(rng, np.float64), rng.integers(self.rows, size=self.shape)
        model = _Summed(layer, ids, rng)
        return check_model(model, model.loss, rng=rng, tolerance=SMOOTH)


TABLES = (
    TableCase("Embedding", lambda rng, dtype: Embedding(5, 3, rng=rng, dtype=dtype), 5, (7,)),
    TableCase("Embedding of sequences", lambda rng, dtype: Embedding(5, 3, rng=rng, dtype=dtype), 5, (2, 7)),
)
