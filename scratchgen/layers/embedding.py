"""Embedding: from whole numbers, which have no gradient, to rows that are learnt."""

import numpy as np

from scratchgen.checks import positive
from scratchgen.initializers import normal
from scratchgen.layers.base import Layer, Parameter, float_dtype


class Embedding(Layer):
    """A table of learnt rows, looked up by number.

    (EMB.1)  out = W[ids]                                   ids (N, …) integers, W (K, C), out (N, …, C)
    (EMB.2)  dW_k = Σ dout over all places where ids is k   (K, C)

    It is onehot(ids)·W without the zeros, and (EMB.2) is onehot(ids)ᵀ·dout. Whole numbers can't be moved a
    little, so there is no gradient with respect to them: backward returns None. Derived in docs/attention.md.

    num_embeddings, embedding_dim : K and C
    std : the rows start as N(0, std²)

    Raises TypeError for ids that are no integers, ValueError for one outside 0 … K − 1.
    """

    def __init__(self, num_embeddings, embedding_dim, *, rng, dtype=np.float32, std=0.02):
        positive("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        dtype = float_dtype("Embedding", dtype)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(normal((num_embeddings, embedding_dim), std=std, rng=rng, dtype=dtype))

    def forward(self, ids, training=False):
        self._expect_ids(ids)
        return self.weight.value[ids], ids                      # (EMB.1)  (N, …, C)

    def backward(self, dout, ids, input_grad=True):
        self.expect_gradient(dout, (*ids.shape, self.embedding_dim), self.weight.dtype)
        if self.trainable:
            drows = dout.reshape(-1, self.embedding_dim)
            onehot = np.zeros((self.num_embeddings, len(drows)), dout.dtype)
            onehot[ids.reshape(-1), np.arange(len(drows))] = 1
            # Rows that occur more than once add up. np.add.at says the same without the zeros, and slower.
            self.weight.grad += onehot @ drows                  # (EMB.2)  (K, C)

    def _expect_ids(self, ids):
        if not isinstance(ids, np.ndarray) or ids.dtype.kind not in "iu":
            got = f"dtype {ids.dtype}" if isinstance(ids, np.ndarray) else type(ids).__name__
            raise TypeError(f"Embedding expected an array of integers, got {got}")
        if ids.ndim < 1:
            raise ValueError(f"Embedding expected ids of shape (N, …), got {ids.shape}")
        if ids.size and (ids.min() < 0 or ids.max() >= self.num_embeddings):
            last = self.num_embeddings - 1
            raise ValueError(f"Embedding expected ids within 0..{last}, got {ids.min()} to {ids.max()}")

    def __repr__(self) -> str:
        return f"Embedding({self.num_embeddings}, {self.embedding_dim})"
