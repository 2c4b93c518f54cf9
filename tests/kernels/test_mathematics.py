"""exp, expm1, log1p, tanh and the sums that compiled kernels use."""

import numpy as np
import pytest


def ulps(found, exact):
    """The distance in units in the last place of float32."""
    last_place = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return np.abs(found.astype(np.float64) - exact) / last_place


@pytest.fixture(scope="module")
def compiled_mathematics():
    from scratchgen.kernels.compile import kernel
    from scratchgen.kernels.mathematics import exp, expm1, log1p, tanh

    @kernel("contract")
    def exp_all(x, out):
        for i in range(x.size):
            out[i] = exp(x[i])

    @kernel("contract")
    def log1p_all(x, out):
        for i in range(x.size):
            out[i] = log1p(x[i])

    @kernel("contract")
    def expm1_all(x, out):
        for i in range(x.size):
            out[i] = expm1(x[i])

    @kernel("contract")
    def tanh_all(x, out):
        for i in range(x.size):
            out[i] = tanh(x[i])

    return exp_all, log1p_all, expm1_all, tanh_all


def test_exp_of_float32_is_within_two_units_in_the_last_place(compiled_mathematics):
    x = np.linspace(-87.3, 88.37, 200_003).astype(np.float32)
    out = np.empty_like(x)
    compiled_mathematics[0](x, out)
    assert ulps(out, np.exp(x.astype(np.float64))).max() <= 2


def test_exp_of_float32_underflows_overflows_and_keeps_nan(compiled_mathematics):
    x = np.array([0, np.nan, np.inf, -np.inf, 200, -200, 88.5, -1e30], np.float32)
    out = np.empty_like(x)
    compiled_mathematics[0](x, out)
    assert out[0] == 1
    assert np.isnan(out[1])
    assert np.isposinf(out[[2, 4, 6]]).all()
    assert (out[[3, 5, 7]] <= np.finfo(np.float32).tiny * 1.001).all() and (out[[3, 5, 7]] >= 0).all()


def test_log1p_of_float32_is_within_three_units_in_the_last_place(compiled_mathematics):
    x = np.concatenate([np.linspace(1e-6, 1, 100_003), np.logspace(-30, -6, 1001)]).astype(np.float32)
    out = np.empty_like(x)
    compiled_mathematics[1](x, out)
    assert ulps(out, np.log1p(x.astype(np.float64))).max() <= 3


def test_expm1_of_float32_is_within_two_units_in_the_last_place(compiled_mathematics):
    near = np.logspace(-30, 0, 20_001)
    x = np.concatenate([np.linspace(-20, 88.37, 200_003), near, -near]).astype(np.float32)
    out = np.empty_like(x)
    compiled_mathematics[2](x, out)
    assert ulps(out, np.expm1(x.astype(np.float64))).max() <= 2


def test_expm1_of_float32_underflows_overflows_and_keeps_nan(compiled_mathematics):
    x = np.array([0, np.nan, np.inf, 200, -np.inf, -200, -1e30], np.float32)
    out = np.empty_like(x)
    compiled_mathematics[2](x, out)
    np.testing.assert_array_equal(out, [0, np.nan, np.inf, np.inf, -1, -1, -1])


def test_tanh_of_float32_is_within_three_units_in_the_last_place(compiled_mathematics):
    near = np.logspace(-37, 0, 20_001)
    x = np.concatenate([np.linspace(-12, 12, 200_003), near, -near]).astype(np.float32)
    out = np.empty_like(x)
    compiled_mathematics[3](x, out)
    assert ulps(out, np.tanh(x.astype(np.float64))).max() <= 3


def test_tanh_of_float32_saturates_and_keeps_nan(compiled_mathematics):
    x = np.array([0, np.nan, np.inf, -np.inf, 50, -50, 1e30], np.float32)
    out = np.empty_like(x)
    compiled_mathematics[3](x, out)
    np.testing.assert_array_equal(out, [0, np.nan, 1, -1, 1, -1, 1])


def test_mathematics_of_float64_is_that_of_the_c_library(compiled_mathematics):
    x = np.linspace(0, 1, 1001)
    for function, twin in zip(compiled_mathematics, (np.exp, np.log1p, np.expm1, np.tanh), strict=True):
        out = np.empty_like(x)
        function(x, out)
        np.testing.assert_allclose(out, twin(x), rtol=4e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_a_row_are_those_of_numpy(dtype, rng):
    from scratchgen.kernels.mathematics import row_sum, row_sum_in_double, row_sum_of_squares

    a = rng.standard_normal(1001).astype(dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    assert row_sum(a) == pytest.approx(a.sum(dtype=np.float64), rel=rtol, abs=50 * float(np.finfo(dtype).eps))
    assert row_sum_of_squares(a) == pytest.approx((a.astype(float) ** 2).sum(), rel=rtol)
    assert row_sum_in_double(a) == pytest.approx(a.sum(dtype=np.float64), rel=1e-13, abs=1e-12)
    a[7] = np.nan
    assert np.isnan(row_sum(a)) and np.isnan(row_sum_in_double(a)) and np.isnan(row_sum_of_squares(a))
