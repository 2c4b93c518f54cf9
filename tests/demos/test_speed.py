"""What the demo of matrix products says, on small ones: all versions compute the same product."""

import runpy
from pathlib import Path

import numpy as np
import pytest

DEMO = Path(__file__).resolve().parents[2] / "demos" / "70_gemm.py"


@pytest.mark.slow
def test_demo_gemm_versions_agree_with_blas(run_demo):
    lines = run_demo("70_gemm.py", "gemm.png", sizes=(20, 32), rounds=2)
    table = {line[:14].strip(): line[14:].split() for line in lines}
    for name in ("three loops", "rows", "panels", "registers"):
        speed, _, _, difference = table[name]
        assert float(speed) > 0 and float(difference) < 1e-4
    assert float(table["BLAS"][-1]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["three_loops", "rows", "panels", "registers"])
def test_demo_gemm_version_is_the_product_over_several_panels(rng, name):
    a, b = rng.standard_normal((8, 301)), rng.standard_normal((301, 260))
    out = np.full((8, 260), np.nan)
    runpy.run_path(str(DEMO))[name](a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_demo_gemm_counts_the_operations_of_the_peak(rng):
    """Each of the eight sums takes every number, so many times; the first factor changes after each time."""
    x = rng.standard_normal(50)
    total = runpy.run_path(str(DEMO))["eight_sums"](x, (2.0, *range(7)), 2)
    first, last = 2.0, x.sum() * 6
    assert total == pytest.approx(x.sum() * (first + first + last + 2 * sum(range(7))))
