"""The score ∇ log q(x_t) of noisy data, and its relation to noise, data, velocity and the training loss.

x_t = a·x_0 + s·eps, with data x_0 and noise eps. a and s are numbers, or one number per example, (N, 1). Flow
matching counts time the other way: its data is x_1, its noise is x_0, a = t and s = 1 − t. Derived in
docs/diffusion.md.
"""

from __future__ import annotations

from typing import Any

from scratchgen.checks import Array


def score_of(kind: str, f: Array, xt: Array, a: Any, s: Any) -> Array:
    """The score that a prediction f at x_t implies, for a network that predicts "eps", "x0" or "v".

    (SCORE.1)  score = −eps/s
    (SCORE.2)  score = (a·x_0 − x_t)/s²             Tweedie's formula, solved for the score
    (SCORE.3)  score = −x_t − (a/s)·v               v = a·eps − s·x_0, with a² + s² = 1

    f is the conditional mean of its target, given x_t. Source: Vincent 2011; Efron 2011.
    """
    if kind == "eps":
        return -f / s                                                   # (SCORE.1)
    if kind == "x0":
        return (a * f - xt) / s**2                                      # (SCORE.2)
    return -xt - (a / s) * f                                            # (SCORE.3)


def prediction_of(kind: str, score: Array, xt: Array, a: Any, s: Any) -> Array:
    """The inverse of `score_of`: the "eps", "x0" or "v" that belongs to a score at x_t.

    (SCORE.4)  eps = −s·score,  x_0 = (x_t + s²·score)/a,  v = −(s/a)·(x_t + score)
    """
    if kind == "eps":
        return -s * score
    if kind == "x0":
        return (xt + s**2 * score) / a
    return -(s / a) * (xt + score)                                      # (SCORE.4)


def score_of_flow(v: Array, xt: Array, t: Any) -> Array:
    """The score at time t < 1 of flow matching with the velocity v = E[x_1 − x_0 | x_t].

    (SCORE.5)  score = (t·v − x_t)/(1 − t)
    """
    return (t * v - xt) / (1 - t)                                       # (SCORE.5)


def flow_of_score(score: Array, xt: Array, t: Any) -> Array:
    """The inverse of `score_of_flow`, for t > 0.

    (SCORE.6)  v = (x_t + (1 − t)·score)/t
    """
    return (xt + (1 - t) * score) / t                                   # (SCORE.6)


def score_given_data(x0: Array, xt: Array, a: Any, s: Any) -> Array:
    """The score of q(x_t | x_0) = N(a·x_0, s²·I), the target of denoising score matching.

    (DSM.1)  ∇ log q(x_t | x_0) = (a·x_0 − x_t)/s² = −eps/s
    """
    return (a * x0 - xt) / s**2                                         # (DSM.1)


def loss_weight(kind: str, a: Any, s: Any) -> Any:
    """w in ‖f − target‖² = w·‖score_of(f) − ∇ log q(x_t | x_0)‖².

    (DSM.2)  w = s² for "eps",  s⁴/a² for "x0",  s²/a² for "v"

    So the simple loss of a diffusion is denoising score matching (Vincent 2011) with this weight.
    """
    if kind == "eps":
        return s**2
    return s**4 / a**2 if kind == "x0" else s**2 / a**2                 # (DSM.2)
