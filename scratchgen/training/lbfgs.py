"""L-BFGS: a quasi-Newton method that estimates the curvature from the last few steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

LossAndGrad = Callable[[np.ndarray], tuple[float, np.ndarray]]

REMEMBERED = 10         # number of steps whose curvature is used
SUFFICIENT = 1e-4       # fraction of the predicted decrease that a step must achieve (Armijo)
CURVED = 0.9            # fraction of the slope that may remain after a step (Wolfe)
HALVINGS = 30


class Minimum(NamedTuple):
    """The result of `minimise`: w, its loss, the number of iterations, whether it converged."""

    w: np.ndarray
    loss: float
    iterations: int
    converged: bool


def minimise(
    loss_and_grad: LossAndGrad,
    w: np.ndarray,
    *,
    tolerance: float,
    iterations: int,
) -> Minimum:
    """Minimise a smooth loss from w, (P,), until the gradient is below `tolerance` (Liu & Nocedal 1989).

    The step is −H·grad, with H an estimate of the inverse Hessian. A step s that changed the gradient by r
    gives the curvature of the loss along s, and H is updated to agree with it:

    (BFGS.1)  H ← (I − s·rᵀ/sᵀr)·H·(I − r·sᵀ/sᵀr) + s·sᵀ/sᵀr           so that H·r = s

    H is never stored as a matrix: `direction` applies the last few updates to a vector. The search stops
    early, with converged=False, if rounding errors prevent a lower loss. Derived in
    docs/discriminative.md.
    """
    steps: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=REMEMBERED)
    loss, grad = loss_and_grad(w)
    for done in range(iterations):
        if np.abs(grad).max() <= tolerance:
            return Minimum(w, loss, done, True)
        step = -direction(grad, steps)
        if not steps:
            step /= max(1.0, float(np.linalg.norm(grad)))       # no curvature is known yet
        found = _search(loss_and_grad, w, loss, grad, step)
        if found is None:
            return Minimum(w, loss, done, False)
        new_w, loss, new_grad = found
        s, r = new_w - w, new_grad - grad
        if s @ r > 1e-12 * (r @ r):                             # only if the loss is convex along s
            steps.append((s, r))
        w, grad = new_w, new_grad
    return Minimum(w, loss, iterations, bool(np.abs(grad).max() <= tolerance))


def direction(grad: np.ndarray, steps: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return H·grad. H starts as (sᵀr / rᵀr)·I of the newest step; (BFGS.1) then adds all steps in order."""
    out, shares = grad.copy(), []
    for s, r in reversed(steps):
        share = (s @ out) / (s @ r)
        out -= share * r                                        # the right factor of (BFGS.1)
        shares.append(share)
    if steps:
        s, r = steps[-1]
        out *= (s @ r) / (r @ r)
    for (s, r), share in zip(steps, reversed(shares), strict=True):
        out += (share - (r @ out) / (s @ r)) * s                # the left factor, and s·sᵀ/sᵀr
    return out


def _search(
    loss_and_grad: LossAndGrad, w: np.ndarray, loss: float, grad: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """Find a point along the step that satisfies the Wolfe conditions on loss and slope, by bisection.

    Returns (w, loss, grad), or None if no length lowers the loss.
    """
    slope, low, high, length, best = grad @ step, 0.0, np.inf, 1.0, None
    for _ in range(HALVINGS):
        new_w = w + (length * step).astype(w.dtype)
        new_loss, new_grad = loss_and_grad(new_w)
        if not new_loss <= loss + SUFFICIENT * length * slope:
            high = length                                       # too long
        elif new_grad @ step < CURVED * slope:
            low, best = length, (new_w, new_loss, new_grad)     # the slope is still steep: too short
        else:
            return new_w, new_loss, new_grad
        length = 2 * low if high == np.inf else (low + high) / 2
    return best
