"""The benchmark compares only contenders that compute the same."""

import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest

RUN = Path(__file__).resolve().parent.parent / "benchmarks" / "run.py"


class Contender:
    """Stands for a contender's process that answers with these gradients."""

    def __init__(self, *gradients):
        self.gradients = gradients

    def ask(self, order):
        np.savez(order.removeprefix("gradients "), *self.gradients)


@pytest.mark.parametrize(("theirs", "expected"), [(2.0, 0.0), (3.0, 0.5), (np.nan, np.nan)])
def test_benchmark_sees_a_gradient_that_is_not_the_same(monkeypatch, rng, theirs, expected):
    stand_in = types.ModuleType("contenders")
    stand_in.CONTENDERS = {}
    monkeypatch.setitem(sys.modules, "contenders", stand_in)
    weight = rng.standard_normal((5, 3))
    workers = {
        "scratchgen": Contender(weight, np.array([1.0, 2.0])),
        "other": Contender(weight, np.array([1.0, theirs])),
    }
    found = runpy.run_path(str(RUN))["same_gradients"](workers)
    np.testing.assert_equal(found, expected)
