"""The demo of matrix products on small ones: all versions compute the same product."""

import pytest


@pytest.mark.slow
def test_gemm_versions_agree_with_blas(run_demo):
    results = run_demo("speed.gemm", sizes=(20, 32), rounds=2)
    for name in ("three loops", "rows", "panels", "registers"):
        row = results["table"][name]
        assert row["GFLOP/s"] > 0 and row["largest difference from BLAS"] < 1e-4
    assert results["table"]["BLAS"]["largest difference from BLAS"] == 0
    assert results["peak"] > 0
