"""Solvers of ordinary differential equations dx/dt = f(x, t), and the divergence of a network.

A state is a tuple of arrays. f takes a state and a time and returns the derivative of each array. Derived in
docs/diffusion.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.checks import Array, positive
from scratchgen.layers.time_network import TimeNetwork

State = tuple[Array, ...]
Derivative = Callable[[State, float], State]
Step = Callable[[Derivative, State, float, float], State]


def euler(f: Derivative, x: State, t: float, h: float) -> State:
    """x(t + h) with an error of order h² per step; one evaluation of f."""
    return _moved(x, h, f(x, t))                                        # (ODE.1)


def heun(f: Derivative, x: State, t: float, h: float) -> State:
    """x(t + h) with an error of order h³ per step; two evaluations of f."""
    k1 = f(x, t)
    k2 = f(_moved(x, h, k1), t + h)
    return _moved(_moved(x, h / 2, k1), h / 2, k2)                      # (ODE.2)


def rk4(f: Derivative, x: State, t: float, h: float) -> State:
    """x(t + h) with an error of order h⁵ per step; four evaluations of f (Kutta 1901)."""
    k1 = f(x, t)
    k2 = f(_moved(x, h / 2, k1), t + h / 2)
    k3 = f(_moved(x, h / 2, k2), t + h / 2)
    k4 = f(_moved(x, h, k3), t + h)
    slope = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
    return _moved(x, h, slope)                                          # (ODE.3)


SOLVERS: dict[str, Step] = {"euler": euler, "heun": heun, "rk4": rk4}
EVALUATIONS = {"euler": 1, "heun": 2, "rk4": 4}     # of f, per step


def integrate(
    f: Derivative, x: State, start: float, end: float, *, steps: int, method: str, who: str = "integrate"
) -> State:
    """The state at time `end`, from the state x at time `start`, in equal steps. `end` may be before `start`.

    Raises ValueError for fewer than one step or an unknown method.
    """
    positive(who, steps=steps)
    if method not in SOLVERS:
        raise ValueError(f"{who} expected method to be one of {', '.join(SOLVERS)}, got {method!r}")
    h = (end - start) / steps
    for i in range(steps):
        x = SOLVERS[method](f, x, start + i * h, h)
    return x


def _moved(x: State, h: float, slope: State) -> State:
    """x + h·slope, in the dtypes of x."""
    return tuple(a + a.dtype.type(h) * b for a, b in zip(x, slope, strict=True))


EXACT_UP_TO = 16    # features, for which the trace is computed entry by entry


def divergence(
    net: TimeNetwork, x: Array, t: Array, y: Any, probe: Array | None
) -> tuple[Array, Array]:
    """(f, div): the output f(x, t) of a network, (N, D), and its divergence Σ_d df_d/dx_d, (N,).

    (DIV.1)  div f = tr(J) = Σ_d e_dᵀ·J·e_d                     exact: D backward passes, with unit vectors
    (DIV.2)  div f = E[vᵀ·J·v],  v random signs, E[v·vᵀ] = I    unbiased: one backward pass, with v

    probe : v (N, D), or None for the exact trace. Source: Hutchinson 1989; Grathwohl et al. 2019, equation 8.
    """
    with net.frozen():
        f, cache = net.forward(x, t, y)
        if probe is not None:
            return f, (net.backward(probe, cache) * probe).sum(axis=1, dtype=np.float64)    # (DIV.2)
        trace = np.zeros(len(x))
        for d in range(x.shape[1]):
            unit = np.zeros_like(x)
            unit[:, d] = 1
            trace += net.backward(unit, cache)[:, d]                    # (DIV.1)
        return f, trace
