"""Causes that show in the numbers of the two gradients alone: factors, signs, masks, places."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from scratchgen.gradcheck.causes.words import entries, join, number, region
from scratchgen.gradcheck.evidence import Evidence, Found

MULTIPLES = (1.0, -1.0, 2.0, 0.5)


def zero(e: Evidence) -> Found | None:
    """claimed = 0 at all wrong entries, which are all entries or a block of them."""
    if e.claimed[e.wrong].any():
        return None
    where = region(e.wrong, e)
    if where and e.wrong.sum() > 1:
        return Found("zero", f"Backward gives 0{where}, where there is a gradient; all others are right.")
    if e.claimed.any():
        return None
    if e.what == "input":
        return Found("zero", "Backward returns zeros, but forward depends on its input.")
    return Found("zero", f"Backward leaves {e.what} at a gradient of 0. Is anything added to {e.what}.grad?")


def sign(e: Evidence) -> Found | None:
    """claimed = −numeric at all wrong entries."""
    if not _enough(e) or not e.predicts(e.at_wrong(-e.numeric)):
        return None
    return Found("sign", f"The sign is wrong: {entries(e)} is −1 times what it should be.")


def factor(e: Evidence) -> Found | None:
    """claimed = c·numeric at all wrong entries, with one constant c."""
    c = common_factor(e)
    if c is None or not (_enough(e) or (e.wrong.all() and natural(abs(c), e))):
        return None
    text = f"A constant factor: {entries(e)} is {_times(c)} what it should be"
    return Found("factor", f"{text}{_reason(*_names(e, c))}.")


def common_factor(e: Evidence) -> float | None:
    """The number c of `factor`, or None if there is none. It is neither 0 nor −1."""
    claimed, numeric = e.claimed[e.wrong], e.numeric[e.wrong]
    size = float(numeric @ numeric)
    c = float(claimed @ numeric) / size if size > 0 else 0.0
    return c if abs(c) > 1e-12 and e.predicts(e.at_wrong(c * e.numeric)) else None


def natural(c: float, e: Evidence) -> list[str]:
    """What was done once too often: "divided by", or "multiplied by", a size or setting that is c or 1/c."""
    found = []
    for name, size in e.sizes.items():
        if size != 1 and _close(c, 1 / size):
            found.append(f"divided by {name} ({number(size)})")
        elif size != 1 and _close(c, size):
            found.append(f"multiplied by {name} ({number(size)})")
    return found


def _names(e: Evidence, c: float) -> tuple[list[str], bool]:
    """The natural names of a factor, and whether they were confirmed.

    The batch size is confirmed if c changes as it does when the last example is left out.
    """
    n = e.sizes.get("the batch size N", 1)
    others = [name for name in natural(abs(c), e) if "batch size" not in name]
    candidates = {"": 1.0, "half of ": 0.5, "twice ": 2.0}
    found = [(word, k, p) for word, k in candidates.items() for p in (1, -1) if _close(abs(c), (k * n) ** p)]
    if n == 1 or not found:
        return others, False
    word, k, power = found[0]
    name = f"{'multiplied' if power == 1 else 'divided'} by {word}the batch size N ({number(n)})"
    try:
        pair = e.smaller() if e.smaller else None
    except Exception:       # the layer or loss may refuse another batch size
        pair = None
    if pair is None:
        return ([name, *others] if word == "" else others), False
    claimed, numeric = pair
    expected = np.sign(c) * (k * (n - 1)) ** power * numeric
    wrong = e.wrong[:-1] if e.what in ("input", "pred") else e.wrong
    off = np.abs(claimed - expected)[wrong].max(initial=0.0)
    confirmed = off <= 1e-6 * np.abs(claimed).max(initial=0.0)
    return ([name] if confirmed else others), bool(confirmed)


def _times(c: float) -> str:
    """"1/7 of", "twice", "1.5 times"."""
    if _close(c, 2):
        return "twice"
    if _close(c, 0.5):
        return "half of"
    exact = Fraction(c).limit_denominator(1000)
    text = str(exact).replace("-", "−")
    if _close(c, float(exact)) and abs(exact.numerator) == 1:
        return f"{text} of"
    if _close(c, float(exact)) and 1 < exact.denominator <= 20:
        return f"{number(c)} = {text} times"
    return f"{number(c)} times"


def _reason(names: list[str], confirmed: bool) -> str:
    """What may have been done once too often; the opposite may have been forgotten as well."""
    if not names:
        return ""
    text = f": {join(names)} once too often, or the opposite was forgotten"
    return text if confirmed else f"{text}, unless it is a plain factor of the formula"


def label_term(e: Evidence) -> Found | None:
    """claimed ≠ numeric exactly at the entries (n, labels[n]): the part −onehot(labels) is wrong."""
    if e.labels is None or e.claimed.ndim != 2 or e.labels.shape != e.claimed.shape[:1]:
        return None
    if not np.array_equal(e.wrong, np.arange(e.claimed.shape[1]) == e.labels[:, None]):
        return None
    return Found(
        "label term",
        "The wrong entries are those of the labels, one in each row, and all others are right: the term with "
        "the label, such as − onehot(labels), is missing or wrong.",
    )


def array_factor(e: Evidence) -> Found | None:
    """claimed = c·F·numeric at all wrong entries, with an array F of the layer and c one of MULTIPLES."""
    for name, array in _factors(e):
        try:
            array = np.broadcast_to(array, e.claimed.shape)
        except ValueError:
            continue
        for c in MULTIPLES:
            if np.ptp(array[e.wrong]) > 1e-3 * np.abs(array[e.wrong]).max() and e.predicts(
                e.at_wrong(c * array * e.numeric)
            ):
                times = "" if c == 1 else f"{number(c)} times "
                return Found(
                    "array factor",
                    f"Entry by entry, {entries(e)} is what it should be times {times}{name}.",
                )
    return None


def _factors(e: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """F, 1/F, F² and, for arrays of the gradient's own shape, common functions of them."""
    for name, a in e.arrays.items():
        yield from ((name, a), (f"1/{name}", 1 / a), (f"{name}²", a * a), (f"√{name}", np.sqrt(a)))
        yield f"1/√{name}", 1 / np.sqrt(a)
        if a.shape != e.claimed.shape:
            continue
        sigmoid = 1 / (1 + np.exp(-a))
        yield f"exp({name})", np.exp(a)
        yield f"exp(−{name})", np.exp(-a)
        yield f"exp({name}/2)", np.exp(a / 2)
        yield f"exp(−{name}/2)", np.exp(-a / 2)
        yield f"σ({name})·(1 − σ({name})), the derivative of the sigmoid", sigmoid * (1 - sigmoid)
        yield f"1/(σ({name})·(1 − σ({name}))), where the sigmoid's derivative belongs", 1 / (
            sigmoid * (1 - sigmoid)
        )


def mask(e: Evidence) -> Found | None:
    """At each wrong entry one of the two is 0, and numeric is 0 at some: another mask than forward's."""
    small = e.tolerance
    passed = e.wrong & (np.abs(e.numeric) <= small)
    blocked = e.wrong & (np.abs(e.claimed) <= small)
    right = ~e.wrong & (np.abs(e.numeric) > small)
    if not passed.any() or not (right.any() or blocked.any()) or not (passed | blocked | ~e.wrong).all():
        return None
    text = f"Backward gives a gradient to {passed.sum()} entries that have none{region(passed, e)}"
    if blocked.any():
        text += f", and none to {blocked.sum()} that have one{region(blocked, e)}"
    return Found("mask", f"{text}; all others are right. A mask or an index differs from that of forward.")


def rearranged(e: Evidence) -> Found | None:
    """claimed has the numbers of numeric in other places: axes swapped, an axis reversed, or reshaped."""
    if not e.complete or e.claimed.size > 10_000 or e.claimed.ndim == 0:
        return None
    g, axes = e.numeric, range(e.numeric.ndim)
    for order in itertools.permutations(axes):
        moved = g.transpose(order)
        if order != tuple(axes) and e.predicts(moved):
            return Found("transposed", "It is the transpose of what it should be: axes were swapped.")
    for flipped in (c for n in axes for c in itertools.combinations(axes, n + 1)):
        if e.predicts(np.flip(g, flipped)):
            along = join([str(axis) for axis in flipped], "and")
            return Found("flipped", f"It is what it should be, reversed along axis {along}.")
    for order in itertools.permutations(axes):
        if e.predicts(g.transpose(order).reshape(g.shape)):
            return Found("transposed", "The numbers are right but were reshaped without a transpose.")
    a, b = np.sort(e.claimed, axis=None), np.sort(g, axis=None)
    if g.size > 3 and (np.abs(a - b) <= e.tolerance).all():
        return Found("rearranged", "It has the right numbers in the wrong places.")
    return None


def factor_per_index(e: Evidence) -> Found | None:
    """claimed = numeric·r, where r has one number for each feature, or one for each example."""
    if not e.complete or e.claimed.ndim < 2 or (e.numeric == 0).any():
        return None
    ratio = e.claimed / e.numeric
    for axes, name in _axes(e):
        mean = ratio.mean(axis=axes, keepdims=True)
        if mean.size > 1 and ratio.size >= 3 * mean.size and e.predicts(mean * e.numeric):
            return Found(
                "factor per index",
                f"The ratio claimed/true is the same for all entries of {name}: a factor with one number for "
                f"each {name} is missing, or was applied once too often.",
            )
    return None


def _axes(e: Evidence) -> Iterator[tuple[tuple[int, ...], str]]:
    every = tuple(range(e.claimed.ndim))
    yield every[:-1], "feature" if e.what in ("input", "pred") else "last index"
    yield every[1:], "example" if e.what in ("input", "pred") else "first index"


def some_entries(e: Evidence) -> Found | None:
    """claimed = numeric except in a part of the array, which is a block of indices."""
    where = region(e.wrong, e)
    right = ~e.wrong & (np.abs(e.numeric) > e.tolerance)
    if not where or right.sum() < 2 or e.wrong.sum() < 2:
        return None
    return Found(
        "some entries",
        f"All wrong entries are{where}, and all others are right: a term is missing or wrong in these alone.",
    )


def _enough(e: Evidence) -> bool:
    """Whether so many entries are wrong that one number cannot fit all of them by chance."""
    return int(e.wrong.sum()) >= 3


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * abs(b)
