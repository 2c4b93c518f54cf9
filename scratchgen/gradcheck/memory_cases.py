"""The gradient cases of attention to another sequence, with padding and without."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import LayerCase
from scratchgen.layers import AdditiveAttention, CrossAttention, Layer


class WithMemory(Layer):
    """Attention to a memory as a function of one array: the queries and the memory, side by side.

    In: (N, T·C + S·M). Out: (N, T·C'), for outputs of C' features. So a check of this layer compares the
    gradients of both inputs.
    """

    def __init__(self, inner: Any, queries: int, positions: int, lengths: list[int] | None = None):
        self.inner, self.queries, self.positions, self.lengths = inner, queries, positions, lengths

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        features, wide = self.inner.features, self.inner.memory_features
        self.expect(x, features=self.queries * features + self.positions * wide)
        asking, seen = np.split(x, [self.queries * features], axis=1)
        asking = asking.reshape(len(x), self.queries, features)
        seen = seen.reshape(len(x), self.positions, wide)
        out, cache = self.inner.forward(asking, seen, training, lengths=self.lengths)
        return out.reshape(len(x), -1), (cache, out.shape)

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        cache, shape = cache
        self.expect_gradient(dout, (shape[0], shape[1] * shape[2]), cache.x.dtype)
        dx, dmemory = self.inner.backward(dout.reshape(shape), cache, input_grad)
        if not input_grad:
            return None
        return np.concatenate([dx.reshape(len(dx), -1), dmemory.reshape(len(dx), -1)], axis=1)


def _cross(heads: int, lengths: list[int] | None) -> Any:
    return lambda rng, dtype: WithMemory(
        CrossAttention(4, heads, memory_features=3, rng=rng, dtype=dtype), 2, 3, lengths
    )


def _additive(lengths: list[int] | None) -> Any:
    return lambda rng, dtype: WithMemory(
        AdditiveAttention(2, 3, 4, rng=rng, dtype=dtype), 2, 3, lengths
    )


MEMORY = (
    LayerCase("CrossAttention two heads", _cross(2, None), (3, 2 * 4 + 3 * 3)),
    LayerCase("CrossAttention one head, lengths 3, 1, 2", _cross(1, [3, 1, 2]), (3, 2 * 4 + 3 * 3)),
    LayerCase("AdditiveAttention", _additive(None), (3, 2 * 2 + 3 * 3)),
    LayerCase("AdditiveAttention lengths 3, 1, 2", _additive([3, 1, 2]), (3, 2 * 2 + 3 * 3)),
)
