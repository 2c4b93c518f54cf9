"""Fixtures that set the number of threads, and how work is divided among them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from scratchgen.kernels import parts, plans, products
from scratchgen.runtime import threads


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """A function that sets the number of threads, on a machine with any number of cores."""
    monkeypatch.setattr(threads, "_processors", lambda: 4)
    with threadpool_limits(1, user_api="blas"):
        monkeypatch.setattr(threads, "_blas_threads", lambda: 1)
        yield lambda number: monkeypatch.setattr(threads, "_blas_threads", lambda: number)


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], None]]:
    """A function that changes a constant or function of kernels/plans.py, by name, for one test."""

    def change(name: str, value: Any) -> None:
        for module in (plans, products):
            monkeypatch.setattr(module, name, value, raising=module is plans)
        plans.plan.cache_clear()

    yield change
    plans.plan.cache_clear()


@pytest.fixture
def small_blocks(change: Callable[[str, Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that are so small that even the examples of tests have many."""
    monkeypatch.setattr(parts, "ENTRIES", 16)
    change("SMALL", 1)
    change("WORK", 64)
    change("LEAST", 8)
