"""The lower limit for a step: its matrix products alone, by NumPy's BLAS, into preallocated arrays.

If the inner size is 1, the product is an outer product, which NumPy's multiply computes faster than BLAS.
"""

from __future__ import annotations

import numpy as np


class Limit:
    """The products of a step, one after the other; each is ([count,] rows, inner, columns)."""

    def __init__(self, products: list[tuple[int, ...]], dtype: str):
        rng = np.random.default_rng(0)
        self.triples = [
            (
                rng.random((*count, rows, inner), dtype),
                rng.random((*count, inner, columns), dtype),
                np.empty((*count, rows, columns), dtype),
            )
            for *count, rows, inner, columns in products
        ]

    def step(self, *batch) -> None:
        for a, b, out in self.triples:
            multiply = np.multiply if a.shape[-1] == 1 else np.matmul
            multiply(a, b, out=out)
