"""The explanation of a failed check: where it failed, both numbers, and what kind of mistake it looks like.

A cause is named only if it reproduces the wrong numbers; see causes/. Derived in docs/gradcheck.md.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from scratchgen.gradcheck.causes import CAUSES
from scratchgen.gradcheck.causes.words import join, number
from scratchgen.gradcheck.evidence import Evidence, Found, without_kinks


@dataclass(frozen=True)
class Explanation:
    """Why a check failed; str() gives the text.

    text : where the gradient is wrong, both numbers, and the cause if one was found
    cause : a short name of the cause, such as "factor" or "missing sum"; "" if none was found
    index : the index of the entry with the largest difference, () if there is none
    claimed, numeric : the gradient at that entry by backward and by differences
    wrong, total : how many entries are wrong, and how many there are
    """

    text: str
    cause: str = ""
    index: tuple[int, ...] = ()
    claimed: float = float("nan")
    numeric: float = float("nan")
    wrong: int = 0
    total: int = 0

    def __str__(self) -> str:
        return self.text


def explain(evidence: Evidence, kinks: np.ndarray) -> Explanation:
    """Explain a gradient of the right shape with wrong entries.

    kinks : which entries are at a kink, where both slopes are right
    """
    e = without_kinks(evidence, kinks)
    index = worst_index(e)
    claimed, numeric = float(e.claimed[index]), float(e.numeric[index])
    wrong, total = int(e.wrong.sum()), e.wrong.size
    found = find_cause(e)
    place = f"{e.what}[{', '.join(map(str, index))}]" if index else e.what
    if not e.complete:
        place = f"one of them, in {e.what}"
    verb = "is" if wrong == 1 else "are"
    count = f"All {total} entries are wrong" if wrong == total else f"{wrong} of {total} entries {verb} wrong"
    if not e.complete:
        place, count = f"one along {e.what}", count.replace("entries", "directional derivatives")
    where = "The only entry is wrong" if total == 1 else f"{count}. The worst is {place}"
    text = f"{where}: backward gives {number(claimed)}, "
    text += f"differences give {number(numeric)}."
    text += f"\n{found.text}" if found.text else ""
    return Explanation(text, found.cause, index, claimed, numeric, wrong, total)


def find_cause(e: Evidence) -> Found:
    """The first of CAUSES that reproduces the claimed gradient, or one without a name."""
    for what, array in (("backward", e.claimed), ("differences of forward", e.numeric)):
        bad = ~np.isfinite(array)
        if bad.any():
            values = "nan" if np.isnan(array).any() else "inf"
            text = f"{what[0].upper()}{what[1:]} gave {values} in {bad.sum()} of {bad.size} entries."
            return Found("not finite", text)
    if not e.gross:
        return Found("", "The difference is small: too small to find its cause, but above rounding errors.")
    with np.errstate(all="ignore"):
        for cause in CAUSES:
            try:
                found = cause(e)
            except Exception:   # forward or backward may refuse other calls than those of the check
                continue
            if found is not None:
                return found
    return Found("", _what_is_excluded(e))


def _what_is_excluded(e: Evidence) -> str:
    if e.wrong.sum() == 1 and e.wrong.size > 1:
        return "All other entries are right, so a constant factor, a sign and a transpose are excluded."
    if e.wrong.size == 1:
        return "One number alone does not show what kind of mistake it is."
    tried = ["constant factor", "sign", "transpose", "mask"]
    with suppress(Exception):       # what forward or backward may raise
        if e.trial is not None and e.trial.jacobian(e.what) is not None:
            tried.append("missing sum")
            if e.what == "input" and e.trial.claimed_jacobian(e.what) is not None:
                tried.append("missing connection")
    return f"No single known mistake gives these numbers: no {join(tried)} alone does."


def worst_index(e: Evidence) -> tuple[int, ...]:
    """The wrong entry whose two numbers differ most; one that is not finite comes first."""
    difference = np.abs(e.claimed - e.numeric)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    flat = int(np.where(e.wrong, difference, -1.0).argmax())
    return tuple(int(i) for i in np.unravel_index(flat, e.wrong.shape))


def explain_missing(what: str, shape: tuple[int, ...], claimed: np.ndarray | None) -> Explanation:
    """Explain a gradient that is None or has the wrong shape."""
    total = int(np.prod(shape))
    if claimed is None:
        text = "Backward returned None. It has to return dx, unless it is called with input_grad=False."
        return Explanation(text, "None", total=total)
    of = "the input" if what == "input" else what
    text = f"Backward gave an array of shape {claimed.shape}, expected {shape}, the shape of {of}."
    return Explanation(f"{text}{_shape_hint(claimed.shape, shape)}", "shape", total=total)


def _shape_hint(got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if got == expected[::-1] and len(got) > 1:
        return " It looks transposed."
    if int(np.prod(got)) == int(np.prod(expected)):
        return " The number of entries is right: is a reshape missing?"
    if len(got) < len(expected) and got in (expected[1:], expected[:-1]):
        return " An axis was summed that should have been kept."
    if got[1:] == expected[1:]:
        return " The number of examples differs."
    return ""


def text_only(cause: str, text: str) -> Explanation:
    """An explanation that has no entries to show."""
    return Explanation(text, cause)
