"""L-BFGS: Newton's method for many parameters, with the curvature read off the last few steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

REMEMBERED = 10         # steps whose curvature is kept
SUFFICIENT = 1e-4       # the share of the promised descent that a step must bring (Armijo)
CURVED = 0.9            # and the share of the slope that it may leave (Wolfe)
HALVINGS = 30


class Minimum(NamedTuple):
    """Where the search ended: w, the loss there, the iterations made, and whether the slope is zero."""

    w: np.ndarray
    loss: float
    iterations: int
    converged: bool


def minimise(
    loss_and_grad: Callable[[np.ndarray], tuple[float, np.ndarray]],
    w: np.ndarray,
    *,
    tolerance: float,
    iterations: int,
) -> Minimum:
    """Minimise a smooth loss from w, (P,), until no slope is above `tolerance` (Liu & Nocedal 1989).

    The step is −H·grad, with H an estimate of the inverse Hessian. Each step s that changed the gradient by r
    says how the loss is curved along s, and H is made to agree:

    (BFGS.1)  H ← (I − s·rᵀ/sᵀr)·H·(I − r·sᵀ/sᵀr) + s·sᵀ/sᵀr           so that H·r = s

    H is never written down: `direction` applies the last few such updates to a vector. Stops early, and says
    so in `converged`, where rounding lets no step lower the loss any more. Derived in docs/discriminative.md.
    """
    steps: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=REMEMBERED)
    loss, grad = loss_and_grad(w)
    for done in range(iterations):
        if np.abs(grad).max() <= tolerance:
            return Minimum(w, loss, done, True)
        step = -direction(grad, steps)
        if not steps:
            step /= max(1.0, float(np.linalg.norm(grad)))       # nothing is known of the curvature yet
        found = _search(loss_and_grad, w, loss, grad, step)
        if found is None:
            return Minimum(w, loss, done, False)
        new_w, loss, new_grad = found
        s, r = new_w - w, new_grad - grad
        if s @ r > 1e-12 * (r @ r):                             # else the loss is not convex along s
            steps.append((s, r))
        w, grad = new_w, new_grad
    return Minimum(w, loss, iterations, bool(np.abs(grad).max() <= tolerance))


def direction(grad: np.ndarray, steps) -> np.ndarray:
    """H·grad, by (BFGS.1) from the oldest step to the newest, starting from (sᵀr / rᵀr)·I of the newest."""
    out, shares = grad.copy(), []
    for s, r in reversed(steps):
        share = (s @ out) / (s @ r)
        out -= share * r                                        # the right bracket of (BFGS.1)
        shares.append(share)
    if steps:
        s, r = steps[-1]
        out *= (s @ r) / (r @ r)
    for (s, r), share in zip(steps, reversed(shares), strict=True):
        out += (share - (r @ out) / (s @ r)) * s                # the left bracket, and s·sᵀ/sᵀr
    return out


def _search(loss_and_grad, w, loss, grad, step):
    """A point along the step where loss and slope have fallen enough (Wolfe's conditions), by bisection.

    Returns (w, loss, grad), or None where no length lowers the loss.
    """
    slope, low, high, length, best = grad @ step, 0.0, np.inf, 1.0, None
    for _ in range(HALVINGS):
        new_w = w + (length * step).astype(w.dtype)
        new_loss, new_grad = loss_and_grad(new_w)
        if not new_loss <= loss + SUFFICIENT * length * slope:
            high = length                                       # too long
        elif new_grad @ step < CURVED * slope:
            low, best = length, (new_w, new_loss, new_grad)     # it still goes down steeply: too short
        else:
            return new_w, new_loss, new_grad
        length = 2 * low if high == np.inf else (low + high) / 2
    return best
