"""Causes that show in the whole Jacobian: which input every output depends on, forward and backward.

Backward is linear in dout, so calling it with a 1 at one output and 0 elsewhere gives one row of the
Jacobian that backward uses, called Ĵ here. Differences of forward give the true one, J.
"""

from __future__ import annotations

import itertools

import numpy as np

from scratchgen.gradcheck.causes.words import join, number
from scratchgen.gradcheck.evidence import CLOSE, Evidence, Found, Trial

# Kinds of indices, and what often connects different ones.
LINKS = {
    "examples": "the gradient through a mean and variance of the batch",
    "positions": "the gradient through a sum over positions or through a state that is carried on",
    "features": "the gradient through a sum over the features or through another path between them",
}


def jacobians(e: Evidence) -> tuple[Trial, np.ndarray, np.ndarray, float] | None:
    """The trial, J, Ĵ and their tolerance, for a gradient of the input that is wrong by far."""
    if e.trial is None or e.what != "input":
        return None
    true, claimed = e.trial.jacobian("input"), e.trial.claimed_jacobian("input")
    if true is None or claimed is None or not np.isfinite(claimed).all():
        return None
    return e.trial, true, claimed, CLOSE * float(np.abs(true).max(initial=0.0))


def transposed(e: Evidence) -> Found | None:
    """Ĵ = Jᵀ: dx = dout·W, where dx = dout·Wᵀ is needed."""
    found = jacobians(e)
    if found is None or found[1].shape[0] != found[1].shape[1]:
        return None
    _, true, claimed, tolerance = found
    if _same(true, true.T, tolerance) or not _same(claimed, true.T, tolerance):
        return None
    return Found(
        "transposed",
        "Backward multiplies dout by the transpose of the matrix that it needs: for out = x·W, dx = dout·Wᵀ.",
    )


def flipped(e: Evidence) -> Found | None:
    """Ĵ is J with the image axes of inputs and outputs reversed: the kernel of a convolution is flipped."""
    found = jacobians(e)
    if found is None or e.claimed.ndim < 3 or found[0].u.ndim != e.claimed.ndim:
        return None
    trial, true, claimed, tolerance = found
    if _same(true, claimed, tolerance):
        return None
    whole = true.reshape(*trial.u.shape, *trial.x.shape)
    n, image = trial.u.ndim, range(1, trial.u.ndim - 1)
    for axes in (c for k in image for c in itertools.combinations(image, k)):
        both = (*axes, *(n + axis for axis in axes))
        if _same(claimed, np.flip(whole, both).reshape(true.shape), tolerance):
            along = join([str(axis) for axis in axes], "and")
            return Found("flipped", f"The kernel is reversed along axis {along} of the images.")
    return None


def identity(e: Evidence) -> Found | None:
    """J − Ĵ = ±1: the gradient of a skip connection, out = x + …, is missing, or was added twice."""
    found = jacobians(e)
    if found is None or found[1].shape[0] != found[1].shape[1]:
        return None
    _, true, claimed, tolerance = found
    one = np.eye(len(true))
    if _same(true, one, tolerance):
        return None
    if _same(true - claimed, one, tolerance):
        return Found("skip connection", "dout itself is missing: the gradient of a skip connection, x + ….")
    if _same(claimed - true, one, tolerance):
        return Found("skip connection", "dout was added once too often, as for x + … counted twice.")
    return None


def wrong_axis(e: Evidence) -> Found | None:
    """J connects one kind of index and Ĵ another: a sum over the wrong axis."""
    missing, extra = _kinds(e)
    if not missing or not extra:
        return None
    return Found(
        "wrong axis",
        f"In forward, an output depends on different {join(missing, 'and')} of the input, not on different "
        f"{join(extra, 'and')}. In backward it is the reverse: is a sum over the wrong axis?",
    )


def missing_connection(e: Evidence) -> Found | None:
    """J connects different examples, positions or features, and Ĵ is 0 there."""
    missing, _ = _kinds(e)
    if not missing:
        return None
    return Found(
        "missing connection",
        f"In forward, an output also depends on other {join(missing, 'and')} of the input, but in backward "
        f"it does not. A term is missing, such as {join([LINKS[kind] for kind in missing])}.",
    )


def extra_connection(e: Evidence) -> Found | None:
    """Ĵ ≠ 0 where J = 0, and Ĵ = J elsewhere, or a whole kind of connections that forward does not have."""
    found = jacobians(e)
    if found is None:
        return None
    trial, true, claimed, tolerance = found
    extra = (np.abs(true) <= tolerance) & (np.abs(claimed) > tolerance)
    _, kinds = _kinds(e)
    if not extra.any() or not (kinds or _same(claimed[~extra], true[~extra], tolerance)):
        return None
    example = _pair(trial, *np.argwhere(extra)[0])
    kind = f" between different {join(kinds, 'and')}" if kinds else ""
    return Found(
        "extra connection",
        f"Backward has connections{kind} that forward does not have, for example from {example}: a mask is "
        "missing or differs, or a sum is over too many entries.",
    )


def missing_block(e: Evidence) -> Found | None:
    """Ĵ = 0 where J ≠ 0, and Ĵ = J elsewhere: backward leaves out one way from the input to the output."""
    found = jacobians(e)
    if found is None:
        return None
    trial, true, claimed, tolerance = found
    missing = (np.abs(true) > tolerance) & (np.abs(claimed) <= tolerance)
    if not missing.any() or missing.all() or not _same(claimed[~missing], true[~missing], tolerance):
        return None
    example = _pair(trial, *np.argwhere(missing)[0])
    return Found(
        "missing connection",
        f"Backward leaves out {missing.sum()} of {(np.abs(true) > tolerance).sum()} derivatives, for example "
        f"that from {example}, and the others are right: one way from the input to the output is missing.",
    )


def slope(e: Evidence) -> Found | None:
    """J and Ĵ are diagonal: each output depends on its own input only, so the slope's formula is wrong."""
    found = jacobians(e)
    if found is None or found[0].u.shape != found[0].x.shape:
        return None
    trial, true, claimed, tolerance = found
    off = ~np.eye(len(true), dtype=bool)
    if (np.abs(true[off]) > tolerance).any() or (np.abs(claimed[off]) > tolerance).any():
        return None
    k = int(np.abs(np.diag(claimed - true)).argmax())
    x, out = trial.x.reshape(-1)[k], trial.out().reshape(-1)[k]
    return Found(
        "slope",
        "Each output depends on its own input only, so no sum, index or transpose can be wrong; the formula "
        f"of the derivative is. For x = {number(x)}, out = {number(out)}, backward multiplies dout by "
        f"{number(claimed[k, k])}, and the slope of forward is {number(true[k, k])}.",
    )


def _kinds(e: Evidence) -> tuple[list[str], list[str]]:
    """The kinds of connections that backward lacks altogether, and those that only backward has."""
    found = jacobians(e)
    if found is None or found[0].u.shape[:-1] != found[0].x.shape[:-1]:
        return [], []
    trial, true, claimed, tolerance = found
    missing, extra = [], []
    for kind, chosen in _between(trial):
        forward = bool((np.abs(true[chosen]) > tolerance).any())
        back = bool((np.abs(claimed[chosen]) > tolerance).any())
        if forward and not back:
            missing.append(kind)
        if back and not forward:
            extra.append(kind)
    return missing, extra


def _between(trial: Trial) -> list[tuple[str, np.ndarray]]:
    """For each of LINKS, the entries of J that connect different ones and agree in the kinds before it."""
    out, x = _places(trial.u.shape), _places(trial.x.shape)
    same = np.ones((trial.u.size, trial.x.size), bool)
    found = []
    for kind, a, b in zip(LINKS, out, x, strict=True):
        equal = a[:, None] == b[None]
        if kind != "features" or trial.u.shape == trial.x.shape:
            found.append((kind, same & ~equal))
        same = same & equal
    return found


def _places(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Of each entry of an array (N, …, F): the number of its example, its position and its feature."""
    positions = int(np.prod(shape[1:-1])) if len(shape) > 2 else 1
    features = shape[-1] if len(shape) > 1 else 1
    k = np.arange(int(np.prod(shape)))
    return [k // (positions * features), k // features % positions, k % features]


def _pair(trial: Trial, i: int, k: int) -> str:
    """"out[0, 1] to input[2, 3]" for row i and column k of the Jacobian."""
    out = ", ".join(map(str, np.unravel_index(i, trial.u.shape)))
    x = ", ".join(map(str, np.unravel_index(k, trial.x.shape)))
    return f"out[{out}] to input[{x}]"


def _same(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    return bool((np.abs(a - b) <= tolerance).all())
