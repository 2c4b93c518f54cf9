"""The noise of a diffusion at each step, and what a network may predict about it.

a_t and s_t are the factors of the data and of the noise, x_t = a_t·x_0 + s_t·eps, with a_t² + s_t² = 1.
Derived in docs/diffusion.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.checks import Array, positive

SCHEDULES = ("linear", "cosine")
TARGETS = ("eps", "x0", "v")


class NoiseSchedule:
    """The variances of T noise steps, and their products.

    (SCHED.1)  q(x_t | x_(t−1)) = N(√(1 − β_t)·x_(t−1), β_t·I),  t = 1 … T
    (SCHED.2)  ā_t = Π_(s≤t) (1 − β_s):  x_t = √ā_t·x_0 + √(1 − ā_t)·eps,  eps ~ N(0, I)      in one jump
    (SCHED.3)  linear: β_t from 1e-4 to 0.02 for T = 1,000, and 1,000/T times as much for other T
    (SCHED.4)  cosine: ā_t = f(t)/f(0),  f(t) = cos²(½π·(t/T + 0.008)/1.008),  with β_t ≤ 0.999
    (SCHED.5)  q(x_(t−1) | x_t, x_0) = N(√ā_(t−1)·β_t/(1 − ā_t)·x_0 + √(1 − β_t)·(1 − ā_(t−1))/(1 − ā_t)·x_t,
               β_t·(1 − ā_(t−1))/(1 − ā_t)·I)

    Arrays have T + 1 entries; entry 0 is the data, with ā_0 = 1 and β_0 = 0. Sources: Ho et al. 2020,
    equations 2, 4, 6 and 7; Nichol & Dhariwal 2021, equation 17.

    steps : T
    kind : "linear" or "cosine"

    beta, alpha_bar : (T + 1,), float64
    a, s : √ā and √(1 − ā), the factors of data and noise
    """

    def __init__(self, steps: int = 1000, kind: str = "cosine"):
        positive("NoiseSchedule", steps=steps)
        if kind not in SCHEDULES:
            raise ValueError(f"NoiseSchedule expected kind to be one of {', '.join(SCHEDULES)}, got {kind!r}")
        self.steps, self.kind = steps, kind
        if kind == "linear":
            beta = np.minimum(np.linspace(1e-4, 0.02, steps) * (1000 / steps), 0.999)   # (SCHED.3)
        else:
            f = np.cos(0.5 * math.pi * (np.arange(steps + 1) / steps + 0.008) / 1.008) ** 2
            beta = np.minimum(1 - f[1:] / f[:-1], 0.999)                                # (SCHED.4)
        self.beta = np.concatenate([[0.0], beta])                                       # (SCHED.1)
        self.alpha_bar = np.cumprod(1 - self.beta)                                      # (SCHED.2)
        self.a, self.s = np.sqrt(self.alpha_bar), np.sqrt(1 - self.alpha_bar)

    def expect_steps(self, who: str, t: Any) -> None:
        """Raise TypeError unless t is an integer or an array of integers, ValueError outside 1 … T."""
        steps = np.asarray(t)
        if steps.dtype.kind not in "iu":
            raise TypeError(f"{who} expected integer steps t, got dtype {steps.dtype}")
        if steps.size and not (steps.min() >= 1 and steps.max() <= self.steps):
            raise ValueError(f"{who} expected steps t in 1..{self.steps}, got {steps.min()}..{steps.max()}")

    def posterior(self, t: Any) -> tuple[Array, Array, Array]:
        """(factor of x_0, factor of x_t, variance) of q(x_(t−1) | x_t, x_0), for steps t in 1 … T.

        Raises TypeError for steps that are not integers, and ValueError for steps outside 1 … T.
        """
        self.expect_steps("NoiseSchedule.posterior", t)
        before, beta = self.alpha_bar[t - 1], self.beta[t]
        rest = 1 - self.alpha_bar[t]
        of_x0 = np.sqrt(before) * beta / rest                                           # (SCHED.5)
        of_xt = np.sqrt(1 - beta) * (1 - before) / rest
        return of_x0, of_xt, beta * (1 - before) / rest

    def __repr__(self) -> str:
        return f"NoiseSchedule({self.steps}, {self.kind!r})"


def target_of(kind: str, x0: Array, eps: Array, a: Array, s: Array) -> Array:
    """What the network is trained to predict: "eps", "x0", or v = a·eps − s·x_0."""
    if kind == "eps":
        return eps
    return x0 if kind == "x0" else a * eps - s * x0                     # (PRED.1)


def x0_and_eps(kind: str, f: Array, xt: Array, a: Array, s: Array) -> tuple[Array, Array]:
    """The data x_0 and the noise eps that a prediction f at x_t implies; x_t = a·x_0 + s·eps holds for them.

    (PRED.1)  v   = a·eps − s·x_0
    (PRED.2)  x_0 = (x_t − s·eps)/a,  eps = (x_t − a·x_0)/s     from eps or from x_0
    (PRED.3)  x_0 = a·x_t − s·v,      eps = s·x_t + a·v         from v, as a² + s² = 1
    (PRED.4)  score = ∇ log q(x_t) = −E[eps | x_t]/s            the same network, read as a score
    """
    if kind == "eps":
        return (xt - s * f) / a, f                                      # (PRED.2)
    if kind == "x0":
        return f, (xt - a * f) / s
    return a * xt - s * f, s * xt + a * f                               # (PRED.3)


def x0_backward(kind: str, dx0: Array, a: Array, s: Array) -> tuple[Array, Array]:
    """The gradients (df, dx_t) of the prediction and of x_t, from the gradient dx_0 of `x0_and_eps`'s x_0.

    (PRED.5)  from eps: df = −(s/a)·dx_0,  dx_t = dx_0/a;    from x_0: df = dx_0,  dx_t = 0
    (PRED.6)  from v:   df = −s·dx_0,      dx_t = a·dx_0
    """
    if kind == "x0":
        return dx0, np.zeros_like(dx0)
    if kind == "eps":
        return -(s / a) * dx0, dx0 / a                                  # (PRED.5)
    return -s * dx0, a * dx0                                            # (PRED.6)
