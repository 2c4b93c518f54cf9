"""The limit of a step: its matrix products alone, through NumPy's BLAS, into arrays that stand ready."""

from __future__ import annotations

import numpy as np


class Limit:
    """The products (rows, inner, columns) of a step, one after the other."""

    def __init__(self, products: list[tuple[int, int, int]], dtype: str):
        rng = np.random.default_rng(0)
        self.triples = [
            (
                rng.random((rows, inner)).astype(dtype),
                rng.random((inner, columns)).astype(dtype),
                np.empty((rows, columns), dtype),
            )
            for rows, inner, columns in products
        ]

    def step(self, *batch) -> None:
        for a, b, out in self.triples:
            np.matmul(a, b, out=out)
