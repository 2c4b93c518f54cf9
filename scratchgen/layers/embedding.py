"""Embedding: a learnt row for each integer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchgen.checks import Array, as_generator, describe, expect_number, is_plain_array, positive
from scratchgen.initializers import normal
from scratchgen.layers.base import Layer, Parameter, float_dtype, rows
from scratchgen.layers.linear import affine


def embedding_weight_grad(dout: Array, ids: Array, num_embeddings: int) -> Array:
    """dW (K, C) for dout (N, …, C) and ids (N, …)."""
    onehot = np.zeros((num_embeddings, ids.size), dout.dtype)
    onehot[ids.reshape(-1), np.arange(ids.size)] = 1
    # The product adds up the rows of repeated ids. np.add.at(dW, ids, dout) does the same but is slower.
    return affine(onehot, rows(dout))                           # (EMB.2)  (K, C)


class Embedding(Layer):
    """A table of learnt rows, looked up by integers.

    (EMB.1)  out = W[ids]                                   ids (N, …) integers, W (K, C), out (N, …, C)
    (EMB.2)  dW_k = Σ dout over all positions where ids is k    (K, C)

    (EMB.1) equals onehot(ids)·W, and (EMB.2) equals onehot(ids)ᵀ·dout. Integers have no gradient, so backward
    returns None. Derived in docs/attention.md.

    num_embeddings, embedding_dim : K and C
    std : the rows start as N(0, std²)
    rng : a Generator or an integer seed

    Raises TypeError for ids that are not integers, ValueError for ids outside 0 … K − 1.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        rng: np.random.Generator | int,
        dtype: DTypeLike = np.float32,
        std: float = 0.02,
    ):
        positive("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        expect_number("Embedding", "std", std, least=0)
        dtype, rng = float_dtype("Embedding", dtype), as_generator("Embedding", rng)
        self.num_embeddings, self.embedding_dim, self.std = num_embeddings, embedding_dim, std
        self.weight = Parameter(normal((num_embeddings, embedding_dim), std=std, rng=rng, dtype=dtype))

    def forward(self, ids: Array, training: bool = False) -> tuple[Array, Array]:
        self._expect_ids(ids)
        return self.weight.value[ids], ids                      # (EMB.1)  (N, …, C)

    def backward(self, dout: Array, ids: Array, input_grad: bool = True) -> None:
        self.expect_gradient(dout, (*ids.shape, self.embedding_dim), self.weight.dtype)
        if self.trainable:
            self.weight.grad += embedding_weight_grad(dout, ids, self.num_embeddings)   # (EMB.2)

    def _expect_ids(self, ids: Any) -> None:
        if not is_plain_array(ids) or ids.dtype.kind not in "iu":
            raise TypeError(f"Embedding expected an array of integers, got {describe(ids)}")
        if ids.ndim < 1:
            raise ValueError(f"Embedding expected ids of shape (N, …), got {ids.shape}")
        if ids.size and (ids.min() < 0 or ids.max() >= self.num_embeddings):
            last = self.num_embeddings - 1
            raise ValueError(f"Embedding expected ids within 0..{last}, got {ids.min()} to {ids.max()}")

    def output_shape_text(self) -> str:
        return f"(N, …, {self.embedding_dim})"

    def __repr__(self) -> str:
        return f"Embedding({self.num_embeddings}, {self.embedding_dim}, std={self.std})"
