"""The check of a whole model along random lines, which needs few evaluations of its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from scratchgen.checks import expect_int
from scratchgen.gradcheck.arrays import (
    KINKED,
    SMOOTH,
    compare_entries,
    expect_float64,
    expect_settings,
    generator_of_check,
)
from scratchgen.gradcheck.calls import backward, remember
from scratchgen.gradcheck.differences import Entry, Result, compare, line, summary
from scratchgen.gradcheck.evidence import Evidence
from scratchgen.gradcheck.explain import Explanation, explain
from scratchgen.module import Module, Parameter

SMALL = 400         # entries of the largest array that is explained entry by entry


def check_model(
    model: Module,
    loss: Callable[[], tuple[float, Any]],
    *,
    rng: np.random.Generator | int,
    directions: int = 4,
    tolerance: float = SMOOTH,
) -> list[Result]:
    """Check a whole model along random lines, (GRAD.3): for each parameter array, and for all together.

    loss : () -> (loss, cache), e.g. ``lambda: model.loss(x)``. A loss that uses random numbers must use the
        same ones each time: ``lambda: model.loss(x, rng=1)``.
    directions : lines for each array: one along the claimed gradient, where the signal is strongest, and
        random ones, which find entries that are wrongly zero. All are unit vectors.

    Raises TypeError for parameters that are not float64, ValueError for directions < 2.
    """
    expect_float64("check_model", model)
    expect_settings("check_model", tolerance=tolerance)
    if expect_int("check_model", "directions", directions) < 2:
        raise ValueError(f"check_model expected at least 2 directions, got {directions}")
    rng = generator_of_check("check_model", rng)
    restore = remember(model)
    _, cache = loss()
    _, gradients = backward(model, None, cache)

    def terms() -> np.ndarray:
        restore()
        return np.array([loss()[0]])

    parameters = model.parameters()
    groups = [(name, {name: p}) for name, p in parameters.items()]
    results = []
    for what, group in [*groups, ("all parameters", parameters)]:
        results.append(_check_lines(what, group, gradients, terms, rng, directions, tolerance))
    restore()
    return results


def _check_lines(
    what: str,
    parameters: Mapping[str, Parameter],
    gradients: Mapping[str, np.ndarray],
    terms: Callable[[], np.ndarray],
    rng: np.random.Generator,
    directions: int,
    tolerance: float,
) -> Result:
    """Compare ⟨∇f, v⟩ with differences along unit vectors v that span the given parameters."""
    gradient = np.concatenate([gradients[name].reshape(-1) for name in parameters])
    largest, size = float(np.linalg.norm(gradient)), float(np.linalg.norm(terms()))
    ends = np.cumsum([p.size for p in parameters.values()])[:-1]
    entries, claims = [], []
    for i in range(directions):
        v = gradient if i == 0 and largest > 0 else rng.standard_normal(gradient.shape)
        v = v / np.linalg.norm(v)
        parts = zip(parameters.values(), np.split(v, ends), strict=True)
        along = line([(p.value, part.reshape(p.shape)) for p, part in parts], terms)
        claimed = float(gradient @ v)                                       # (GRAD.3)
        entries.append(compare(along, claimed, largest, size, tolerance, 1.0))
        claims.append(claimed)
    result = summary(what, gradient.shape, entries, tolerance)
    if result.ok:
        return result
    return replace(result, explanation=_explain_lines(what, parameters, gradients, terms, claims, entries))


def _explain_lines(
    what: str,
    parameters: Mapping[str, Parameter],
    gradients: Mapping[str, np.ndarray],
    terms: Callable[[], np.ndarray],
    claims: list[float],
    entries: list[Entry],
) -> Explanation:
    """Explain a failure along lines: from all entries of a small array, and else from the lines alone."""
    if len(parameters) == 1 and next(iter(parameters.values())).size <= SMALL:
        ((name, p),) = parameters.items()
        found = compare_entries(p.value, gradients[name], list(np.ndindex(p.shape)), terms, KINKED)
        _, _, verdict, numeric = (np.array(values).reshape(p.shape) for values in zip(*found, strict=True))
        if (verdict == "FAIL").any():
            return explain(Evidence(what, gradients[name], numeric, verdict == "FAIL"), verdict == "kink")
    numeric = np.array([entry.numeric for entry in entries])
    wrong = np.array([entry.verdict == "FAIL" for entry in entries])
    found_along = explain(Evidence(what, np.array(claims), numeric, wrong, complete=False), ~wrong)
    if found_along.cause in ("factor", "sign", "zero", "not finite"):
        return found_along
    return replace(found_along, cause="", text=found_along.text.partition("\n")[0])
