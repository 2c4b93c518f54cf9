"""Tests of benchmarks/run.py: the check of the contenders' gradients, the ratios and the results."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

RUN = Path(__file__).resolve().parents[2] / "benchmarks" / "run.py"


@pytest.mark.parametrize(("theirs", "expected"), [(2.0, 0.0), (3.0, 0.5), (np.nan, np.nan)])
def test_benchmark_finds_a_different_gradient(monkeypatch, rng, theirs, expected):
    monkeypatch.syspath_prepend(RUN.parent)
    weight = rng.standard_normal((5, 3))
    found = {"scratchgen": [weight, np.array([1.0, 2.0])], "other": [weight, np.array([1.0, theirs])]}
    largest = runpy.run_path(str(RUN))["largest_difference"](found)
    np.testing.assert_equal(largest, expected)


def test_benchmark_compares_round_by_round(monkeypatch):
    """If the machine is slower in one round, all contenders are, and the ratios stay the same."""
    monkeypatch.syspath_prepend(RUN.parent)
    run = runpy.run_path(str(RUN))
    speed = np.array([1.0, 1.0, 7.0, 1.0, 2.0])
    theirs = {"PyTorch eager": 3.0, "PyTorch fused": 2.0, "PyTorch compiled": 2.5, "JAX jit": 1.5}
    all_of_them = theirs | {"scratchgen": 1.0, "matrix products": 0.8}
    row = run["row"]({name: ms * speed for name, ms in all_of_them.items()})
    assert row["best"] == "PyTorch fused"
    ratios = [row[key] for key in ("ms", "against_eager", "against_best", "against_jax", "limit_share")]
    np.testing.assert_allclose(ratios, [1, 3, 2, 1.5, 0.8])
    assert all(high - low < 1e-12 for low, high in row["spread"].values())


def test_benchmark_results_replace_only_remeasured_rows(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(RUN.parent)
    run = runpy.run_path(str(RUN))
    monkeypatch.setitem(run["save"].__globals__, "versions", dict)
    path = tmp_path / "bench.json"
    key = {"batch": 128, "threads": 2, "vectors": "AVX2"}
    run["save"]([{"model": "a", "ms": 1} | key, {"model": "b", "ms": 2} | key], path)
    run["save"]([{"model": "a", "ms": 3} | key], path)
    run["save"]([{"model": "b", "ms": 1} | key | {"vectors": "AVX-512"}], path)     # another processor
    rows = json.loads(path.read_text())["steps"]
    assert [(r["model"], r["ms"]) for r in rows] == [("a", 3), ("b", 1), ("b", 2)]
