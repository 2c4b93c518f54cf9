"""The kinds of checks: of a layer, a loss, a model, a function with its gradient, and an optimiser's step.

Each function returns a Check, which takes the names of the learner's file and returns results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from scratchgen.exercises.spec import Check
from scratchgen.gradcheck.arrays import check_array
from scratchgen.gradcheck.cases import Build, LayerCase, LossCase, ModelCase
from scratchgen.gradcheck.checker import KINKED, SMOOTH, check_layer
from scratchgen.gradcheck.contract import check_contract
from scratchgen.gradcheck.differences import EXACT, Result
from scratchgen.gradcheck.evidence import Evidence
from scratchgen.gradcheck.explain import explain, text_only

Names = SimpleNamespace


def of_layer(
    build: Callable[[Names, Any, Any], Any],
    shape: tuple[int, ...],
    training: bool = False,
    smooth: bool = True,
) -> Check:
    """Check a layer, entry by entry, and the layer contract. build : (names, rng, dtype) -> layer"""

    def check(names: Names) -> list[Result]:
        make: Build = lambda rng, dtype: build(names, rng, dtype)  # noqa: E731
        layer, x, rng = LayerCase("", make, shape, training, smooth).make()
        how: dict[str, Any] = {"rng": rng, "training": training}
        results = check_layer(layer, x, tolerance=SMOOTH if smooth else KINKED, **how)
        if any(r.explanation and r.explanation.cause in ("None", "shape") for r in results):
            return results          # the contract needs a dx
        return results + check_contract(layer, x, **how)

    return check


def of_loss(
    name: str,
    target: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray],
    shape: tuple[int, ...] = (7, 5),
    smooth: bool = True,
) -> Check:
    """Check the gradient that a loss returns. target : (rng, shape of the prediction) -> target"""
    return lambda names: LossCase("", getattr(names, name), target, smooth, shape).run()


def of_model(
    build: Callable[[Names, Any, Any], Any], shape: tuple[int, ...], smooth: bool = True
) -> Check:
    """Check all parameter gradients of a model's loss. build : (names, rng, dtype) -> model"""
    return lambda names: ModelCase("", lambda rng, dtype: build(names, rng, dtype), shape, 0, smooth).run()


def of_function(
    value: Callable[..., Any], gradient: Callable[..., tuple[Any, ...]], inputs: Mapping[str, tuple[int, ...]]
) -> Check:
    """Check the gradients of the sum of a function of several arrays.

    value, gradient : (names, *arrays) -> the function's values, and one gradient for each array
    inputs : the shape of each array, by name
    """

    def check(names: Names) -> list[Result]:
        rng = np.random.default_rng(20)
        arrays = {name: rng.standard_normal(shape) for name, shape in inputs.items()}
        claimed = gradient(names, *(a.copy() for a in arrays.values()))

        def evidence(what: str, mine: np.ndarray, numeric: np.ndarray, wrong: np.ndarray) -> Evidence:
            sizes = {"the batch size N": float(len(mine))}
            return Evidence(what, mine, numeric, wrong, sizes, dict(arrays))

        def terms() -> np.ndarray:
            return np.asarray(value(names, *arrays.values()))

        return [
            check_array(name, array, np.asarray(mine), terms, SMOOTH, evidence)
            for (name, array), mine in zip(arrays.items(), claimed, strict=True)
        ]

    return check


def of_values(compute: Callable[[Names], Mapping[str, np.ndarray]], module: str, name: str) -> Check:
    """Check that arrays are those of the library's code, for a forward pass or an update.

    The results end with the first array that is wrong, because later ones may be computed from it.

    compute : the names of a file -> the arrays by name, in the order of their computation
    module, name : the module of the library that has the name
    """

    def check(names: Names) -> list[Result]:
        right = SimpleNamespace(**{name: getattr(import_module(module), name)})
        mine, expected, results = compute(names), compute(right), []
        for what, array in expected.items():
            results.append(compare_arrays(what, np.asarray(mine[what]), np.asarray(array)))
            if not results[-1].ok:
                break
        return results

    return check


def compare_arrays(what: str, mine: np.ndarray, expected: np.ndarray) -> Result:
    """The result of a comparison with the library's array. A failure is explained like that of a gradient."""
    if mine.shape != expected.shape:
        text = f"The code gives an array of shape {mine.shape}, expected {expected.shape}."
        return Result(what, expected.shape, float("inf"), 0.0, "FAIL", EXACT, text_only("shape", text))
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    errors = np.abs(mine - expected) / scale
    wrong = ~(errors <= EXACT)
    error = float(errors.max(initial=0.0))
    result = Result(what, expected.shape, error, 0.0, "FAIL" if wrong.any() else "ok", EXACT, errors=errors)
    if result.ok:
        return result
    found = explain(Evidence(what, mine, expected, wrong), ~wrong)
    text = found.text.replace("backward gives", "the code gives").replace("differences give", "expected")
    text = text.replace("Backward gave", "The code gave")
    return replace(result, explanation=replace(found, text=text))


def and_then(first: Check, **later: Check) -> Check:
    """A check and, if nothing fails in it, other ones, whose names come before the names of their arrays."""

    def check(names: Names) -> list[Result]:
        results = first(names)
        return results + all_of(**later)(names) if all(r.ok for r in results) else results

    return check


def all_of(**checks: Check) -> Check:
    """Several checks, whose names come before the names of their arrays."""

    def check(names: Names) -> list[Result]:
        return [
            replace(result, what=f"{label.replace('_', ' ')}: {result.what}")
            for label, one in checks.items()
            for result in one(names)
        ]

    return check
