"""Causes that have to do with sums: one that is missing, one whose gradient is missing, or a constant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scratchgen.gradcheck.causes.words import entries, number
from scratchgen.gradcheck.evidence import Evidence, Found


def one_example(e: Evidence) -> Found | None:
    """claimed = the contribution of one example n: the sum over the batch is missing.

    The gradient is a sum over the outputs, Σ_o J_o·dout_o, and so over the examples to which they belong.
    """
    parts = contributions(e, 1)
    if parts is None or e.what == "input":
        return None
    n = _only(e, parts)
    if n is None and (left_out := _only(e, e.numeric - parts)) is not None:
        return Found("missing sum", f"The part of example {left_out} is missing in the sum over the batch.")
    if n is None:
        return None
    return Found(
        "missing sum",
        f"It is the part of example {n} alone: the sum over the {len(parts)} examples is missing.",
    )


def one_position(e: Evidence) -> Found | None:
    """claimed = the contribution of one position t, summed over the batch: the others are missing."""
    if e.trial is None or e.trial.u.ndim < 3 or e.what == "input":
        return None
    parts = contributions(e, e.trial.u.ndim - 1)
    if parts is None:
        return None
    positions = parts.reshape(len(e.trial.u), -1, *e.claimed.shape).sum(axis=0)
    t = _only(e, positions)
    if t is None:
        return None
    return Found(
        "missing sum",
        f"It is the part of position {t} alone: the sum over the {len(positions)} positions is missing.",
    )


def last_use(e: Evidence) -> Found | None:
    """claimed = in each entry the contribution of the last (or the first) output that uses it."""
    if e.trial is None:
        return None
    parts = contributions(e, max(1, e.trial.u.ndim - 1))
    if parts is None:
        return None
    used = np.abs(parts) > 1e-9 * e.scale
    if not (used.sum(axis=0) > 1).any():
        return None
    for name, order in (("last", slice(None, None, -1)), ("first", slice(None))):
        first = used[order].argmax(axis=0)[None]
        if e.predicts(np.take_along_axis(parts[order], first, axis=0)[0]):
            return Found(
                "missing sum",
                f"Each entry has the gradient of the {name} output position that uses it, and no other: the "
                "parts are assigned where they must be added up. With repeated indices, grad[ids] += dout "
                "keeps one of them as well; np.add.at(grad, ids, dout) adds all.",
            )
    return None


def other_operand(e: Evidence) -> Found | None:
    """claimed = Fᵀ·dout, or Σ F∘dout, with an array F that is not the one that the weight multiplies."""
    if e.trial is None or e.what == "input":
        return None
    u = e.trial.u
    rows = u.reshape(-1, u.shape[-1])
    for name, array in e.arrays.items():
        if array.shape[:-1] != u.shape[:-1]:
            continue
        flat = array.reshape(-1, array.shape[-1])
        if array.shape == u.shape and e.predicts((flat * rows).sum(axis=0)):
            text = f"It is the sum of dout·{name}: another array than {name} belongs there."
            return Found("other operand", text)
        if e.predicts(flat.T @ rows):
            return Found("other operand", f"It is {name}ᵀ·dout: another array than {name} belongs there.")
    return None


def _only(e: Evidence, parts: np.ndarray) -> int | None:
    """The index of the part that equals the claimed gradient."""
    if len(parts) < 2:
        return None
    return next((i for i, part in enumerate(parts) if e.predicts(part)), None)


def contributions(e: Evidence, axes: int) -> np.ndarray | None:
    """The gradient split by the first `axes` axes of the output, (M, *shape); its sum over M is numeric."""
    jacobian = None if e.trial is None else e.trial.jacobian(e.what)
    if jacobian is None or e.trial is None:
        return None
    u = e.trial.u
    terms = u.reshape(-1, 1) * jacobian                                     # (outputs, entries)
    groups = int(np.prod(u.shape[:axes]))
    return terms.reshape(groups, -1, *e.claimed.shape).sum(axis=1)


def constant_term(e: Evidence) -> Found | None:
    """claimed − numeric = c, or c·F with an array F, and one number c for all wrong entries."""
    if e.wrong.sum() < 4 or (np.abs(e.numeric[e.wrong]) <= e.tolerance).all():
        return None             # with a true gradient of 0 everywhere, it is a mask
    for name, array in _terms(e):
        c = _fit(array[e.wrong], (e.claimed - e.numeric)[e.wrong])
        if e.predicts(e.numeric + np.where(e.wrong, c * array, 0)):
            what = "" if name == "1" else f" times {name}"
            text = f"claimed − true is {number(c)}{what} at {entries(e)}"
            term = "a constant" if name == "1" else f"a term with {name}"
            return Found("constant term", f"{text}: {term} is missing or too much.")
    return None


def summed_term(e: Evidence) -> Found | None:
    """claimed − numeric = s·F, where s is the same along an axis: the gradient of a sum over that axis.

    A mean m = 1/N·Σₙ xₙ gives all xₙ the same gradient, dm/N. Its part in dx is constant along the axis of
    the sum; that of a variance is x − mean times such a constant.
    """
    if not e.complete or not e.wrong.all():
        return None
    difference = e.claimed - e.numeric
    for axes, place in _sum_axes(e):
        for name, array in _terms(e):
            top = (difference * array).sum(axis=axes, keepdims=True)
            s = top / (array * array).sum(axis=axes, keepdims=True)
            if difference.size < 2 * s.size or not e.predicts(e.numeric + s * array):
                continue
            times = "" if name == "1" else f" after division by {name}"
            return Found(
                "summed term",
                f"claimed − true{times} is constant along {place}. So a term is missing or wrong that comes "
                f"from a sum or mean over {place}, and the other terms are right.",
            )
    return None


def _sum_axes(e: Evidence) -> Iterator[tuple[tuple[int, ...], str]]:
    """Sets of axes over which layers take sums."""
    every = tuple(range(e.claimed.ndim))
    batch = " (the batch)" if e.what in ("input", "pred") else ""
    if len(every) > 1:
        yield every[:1], f"axis 0{batch}"
        yield every[-1:], f"axis {every[-1]} (the features)"
    if len(every) > 2:
        yield every[:-1], "all axes but the last"
        yield every[1:-1], "the positions"
        yield every[1:], "all axes but the first"
    yield every, "all axes"


def _terms(e: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """1, and the arrays of the layer that have the shape of the gradient or can be repeated to it."""
    yield "1", np.ones(e.claimed.shape)
    for name, array in e.arrays.items():
        if array.ndim <= e.claimed.ndim and np.isfinite(array).all() and array.any():
            try:
                yield name, np.broadcast_to(array, e.claimed.shape)
            except ValueError:
                continue


def _fit(a: np.ndarray, b: np.ndarray) -> float:
    size = float(a @ a)
    return float(a @ b) / size if size > 0 else 0.0
