"""Muon: momentum whose matrices are made orthogonal before each step. Derived in docs/optimisation.md."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from scratchgen.checks import Array, expect_count, expect_number
from scratchgen.module import Parameter
from scratchgen.training.optimisers import Adam, Schedule, adam_step

__all__ = ["Muon", "orthogonalise"]

COEFFICIENTS = 3.4445, -4.7750, 2.0315      # of (MUON.3), by Jordan et al. 2024
ITERATIONS = 5


def orthogonalise(matrix: Array) -> Array:
    """The nearest matrix whose singular values are all about 1, by a Newton–Schulz iteration.

    (MUON.3)  X ← X / ‖X‖,  then five times  X ← a·X + (b·A + c·A²)·X,  A = X·Xᵀ

    If X = U·S·Vᵀ, a step turns each singular value s into a·s + b·s³ + c·s⁵ and keeps U and V. The
    coefficients make small values grow fast, so the result has singular values between about 0.7 and 1.2.
    Values that are more than a thousand times smaller than the largest one stay small.

    matrix (m, n) -> (m, n). A matrix of zeros stays as it is. Source: Jordan et al. 2024.

    Raises ValueError for another number of axes.
    """
    if matrix.ndim != 2:
        raise ValueError(f"orthogonalise expected a matrix, got shape {matrix.shape}")
    largest = np.abs(matrix).max(initial=0.0)
    if not 0 < largest < math.inf:
        return matrix.copy()
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.T       # A is then as small as possible
    x = wide / largest                                                  # so that no square overflows
    x = x / np.linalg.norm(x)
    a, b, c = (x.dtype.type(value) for value in COEFFICIENTS)
    for _ in range(ITERATIONS):
        A = x @ x.T
        x = a * x + (b * A + c * (A @ A)) @ x                           # (MUON.3)
    return np.ascontiguousarray(x if wide is matrix else x.T)


class Muon(Adam):
    """Momentum with orthogonal steps for weight matrices, and Adam for all other parameters.

    (MUON.1)  m ← momentum·m + grad
    (MUON.2)  u = grad + momentum·m                         one step ahead, after Nesterov
    (MUON.3)  O = orthogonalise(u)
    (MUON.4)  value ← value − lr·scale·√max(m, n)·O         for a matrix of m × n

    The gradient of a weight matrix is often dominated by a few directions. An orthogonal step has the same
    length in all of them, so rare directions are learned as fast. The factor √max(m, n) gives a step whose
    entries have a root mean square of about lr·scale, whatever the shape, which is comparable to Adam.

    A parameter counts as a matrix if it has two axes or more, and at least `least` rows and columns when all
    axes but the last are joined: the weights of Linear layers and of convolutions. The others (biases,
    gains, small embeddings) are updated by Adam with the same lr.

    momentum : the factor of the old momentum, in [0, 1)
    scale : of a matrix's step relative to lr
    betas, eps : of Adam
    least : the smallest side of a matrix

    Sources: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; Liu et al. 2025,
    "Muon is scalable for LLM training", for the factor √max(m, n).
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        lr: float | Schedule,
        momentum: float = 0.95,
        scale: float = 0.2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        least: int = 16,
    ):
        expect_number("Muon", "momentum", momentum, least=0, below=1)
        expect_number("Muon", "scale", scale, above=0)
        super().__init__(parameters, lr, betas, eps)
        self.momentum, self.scale = float(momentum), float(scale)
        self.least = expect_count("Muon", "least", least)

    def is_matrix(self, p: Parameter) -> bool:
        """Whether the steps of this parameter are made orthogonal."""
        return len(p.shape) > 1 and min(p.size // p.shape[-1], p.shape[-1]) >= self.least

    def _update(self, lr: float) -> None:
        value, grad = self.value, self._current_grad()
        beta1, beta2, eps = map(float, (*self.betas, self.eps))
        for p, part in zip(self.parameters.values(), self._parts, strict=True):
            if self.is_matrix(p):
                self._matrix_step(value[part], grad[part], self.m[part], p.shape[-1], lr)
            else:
                adam_step(
                    value[part], grad[part], self.m[part], self.v[part],
                    lr, beta1, beta2, eps, self.steps + 1,
                )

    def _matrix_step(self, value: Array, grad: Array, m: Array, columns: int, lr: float) -> None:
        momentum = self._number(self.momentum)
        m *= momentum
        m += grad                                                       # (MUON.1)
        step = orthogonalise((grad + momentum * m).reshape(-1, columns))    # (MUON.2), (MUON.3)
        factor = lr * self.scale * math.sqrt(max(step.shape))
        value -= self._number(factor) * step.reshape(-1)                # (MUON.4)
