"""The check of one array, entry by entry, and the checks of the arguments of all checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from scratchgen.checks import as_generator, expect_flags, expect_float, expect_number
from scratchgen.gradcheck.differences import Entry, Result, compare, line, summary
from scratchgen.gradcheck.evidence import Evidence
from scratchgen.gradcheck.explain import explain, explain_missing
from scratchgen.module import Module

SMOOTH = 1e-8       # the tolerance for functions without kinks
KINKED = 1e-6       # the tolerance for the others
# (name of the array, claimed gradient, numeric gradient, which entries are wrong) -> the evidence
Gather = Callable[[str, np.ndarray, np.ndarray, np.ndarray], Evidence]


def check_array(
    what: str,
    array: np.ndarray,
    claimed: np.ndarray | None,
    terms: Callable[[], np.ndarray],
    tolerance: float,
    evidence: Gather,
) -> Result:
    """Compare the claimed gradient of every entry with differences along it, and explain a failure."""
    if claimed is None or claimed.shape != array.shape:
        explanation = explain_missing(what, array.shape, claimed)
        return Result(what, array.shape, math.inf, 0.0, "FAIL", tolerance, explanation)
    indices = list(np.ndindex(array.shape))
    entries = compare_entries(array, claimed, indices, terms, tolerance)
    result = summary(what, array.shape, entries, tolerance)
    columns = list(zip(*entries, strict=True)) or [()] * len(Entry._fields)
    error, _, verdict, numeric = (np.array(values).reshape(array.shape) for values in columns)
    result = replace(result, errors=error)
    if result.ok:
        return result
    found = evidence(what, claimed, numeric, verdict == "FAIL")
    return replace(result, explanation=explain(found, verdict == "kink"))


def compare_entries(
    array: np.ndarray,
    claimed: np.ndarray,
    indices: list[tuple[int, ...]],
    terms: Callable[[], np.ndarray],
    tolerance: float,
) -> list[Entry]:
    """Compare the claimed gradient of some entries with differences along each of them."""
    largest, size = float(np.abs(claimed).max(initial=0.0)), float(np.linalg.norm(terms()))
    entries = []
    for index in indices:
        # a view of one entry; array[()] of an array without axes would be a copy
        entry = array[tuple(slice(i, i + 1) for i in index)] if index else array
        along = line([(entry, np.ones_like(entry))], terms)
        unit = max(1.0, abs(float(array[index])))
        entries.append(compare(along, float(claimed[index]), largest, size, tolerance, unit))
    return entries


def expect_float64(who: str, layer: Module) -> None:
    if not isinstance(layer, Module):
        raise TypeError(f"{who} expected layer to be a Layer or Model, got {layer!r}")
    for name, p in layer.parameters().items():
        if p.dtype != np.float64:
            raise TypeError(not_float64(who, name, p.dtype))


def expect_input(who: str, x: np.ndarray) -> None:
    expect_float(f"{who} (its input x)", x)
    if x.ndim < 1:
        raise ValueError(f"{who} expected an input x of shape (N, …), got ()")
    if x.dtype != np.float64:
        raise TypeError(not_float64(who, "the input", x.dtype))


def expect_settings(who: str, training: bool = False, tolerance: float = SMOOTH) -> None:
    expect_flags(who, training=training)
    expect_number(who, "tolerance", tolerance, above=0)


def not_float64(who: str, what: str, dtype: np.dtype) -> str:
    return f"{who} expected {what} in float64, got {dtype}: differences would be dominated by rounding"


def expect_output(who: str, out: np.ndarray) -> None:
    """Raise TypeError unless forward has kept to float64."""
    if out.dtype != np.float64:
        raise TypeError(not_float64(who, "the output of forward", out.dtype))


def generator_of_check(who: str, rng: Any) -> np.random.Generator:
    """A new random generator, seeded with a number drawn from `rng`.

    Callers often draw x from default_rng(0) and pass rng=0 to the check. If u came from default_rng(0) too,
    it would have the same numbers as x, and a backward that uses x in place of dout would pass.
    """
    return np.random.default_rng(int(as_generator(who, rng).integers(2**63)))
