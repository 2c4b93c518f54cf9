"""Every numerical function has an entry in the sweep, and no error is above its bound."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sweep.bounds import BOUNDS
from sweep.entries import ENTRIES
from sweep.measure import Entry, True_, errors, sweep
from sweep.oracle import number

import scratchgen
from scratchgen import distributions, initializers, kernels, losses, metrics
from scratchgen.training import optimisers

for module in pkgutil.walk_packages(scratchgen.__path__, "scratchgen."):
    source = Path(importlib.util.find_spec(module.name).origin).read_text(encoding="utf-8")
    if "@compiled" in source and not module.name.startswith("scratchgen.kernels"):
        importlib.import_module(module.name)


def functions_of(module) -> Iterator[str]:
    """The public functions of a module, and the static methods of its classes, by qualified name."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield value.__qualname__
        elif inspect.isclass(value):
            yield from (f.__func__.__qualname__ for f in vars(value).values() if isinstance(f, staticmethod))


def expected() -> set[str]:
    """The names of all functions that must be in the sweep, from the package itself."""
    found = {f"{f.__module__}.{f.__qualname__}".removeprefix("scratchgen.") for f in kernels.FUNCTIONS}
    found |= {f"losses.{name}" for name in losses.__all__}
    found |= {f"distributions.{name}" for name in functions_of(distributions)}
    found |= {f"initializers.{name}" for name in functions_of(initializers)}
    found |= {f"training.optimisers.{name}" for name in functions_of(optimisers)}
    found |= {f"metrics.{name}" for name in metrics.__all__ if not inspect.isclass(getattr(metrics, name))}
    return found


def test_every_function_is_in_the_sweep():
    assert expected() - set(ENTRIES) == set()


def test_every_entry_has_a_bound_and_every_bound_an_entry():
    assert sorted(BOUNDS) == sorted(ENTRIES)


def test_every_bound_that_is_not_tight_has_a_reason():
    assert [
        name for name, bound in BOUNDS.items() if (bound.ulps > 4 or bound.flushes) and not bound.reason
    ] == []


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ENTRIES)
def test_errors_are_within_the_bound(name, dtype):
    for backend, found in sweep(ENTRIES[name], dtype).items():
        assert found.worst <= BOUNDS[name].ulps, (backend, found.worst, found.where)
        assert found.cases > found.outside // 3 or name == "metrics.kmeans"


def test_the_sweep_finds_a_wrong_digit_a_nan_and_a_wrong_infinity():
    entry = next(iter(ENTRIES.values()))
    true = True_(np.array([number(1), number(1), number(10) ** 400, number(0)], object))
    got = np.array([1 + 1e-15, np.nan, 1e308, 1e-323])
    found = [error for _, error in errors(got, true, np.float64, entry.bound)]
    assert found == [pytest.approx(5), np.inf, np.inf, pytest.approx(2)]


def test_a_function_of_both_kernels_is_swept_with_both():
    compiled = {f"{f.__module__}.{f.__qualname__}".removeprefix("scratchgen.") for f in kernels.FUNCTIONS}
    assert {name for name, entry in ENTRIES.items() if entry.twin} >= compiled
    assert Entry("a", len, lambda *a: [], len, twin=True).backends == kernels.BACKENDS
