"""The Normal distribution function and intervals of it, in logarithms, against scipy."""

import numpy as np
import pytest

from scratchgen.distributions import normal_log_cdf, normal_log_interval

scipy_stats = pytest.importorskip("scipy.stats")


def test_log_cdf_is_that_of_scipy():
    """(NCDF.1), (NCDF.2), on both sides of the change between them."""
    x = np.concatenate([np.linspace(-60, 8, 1001), [-34.999, -35.0, -35.001, -1e3, -1e8, 36]])
    np.testing.assert_allclose(normal_log_cdf(x), scipy_stats.norm.logcdf(x), rtol=3e-12, atol=1e-300)


def test_log_interval_is_exact_in_both_tails(backend):
    """(NCDF.3), (NCDF.4)."""
    low = np.array([-np.inf, -1.0, 2.0, 5.0, -8.0, 0.3])
    high = np.array([0.0, 1.0, np.inf, 5.0001, -7.0, 0.3001])
    p = np.array([scipy_stats.norm.cdf(0), scipy_stats.norm.cdf(1) - scipy_stats.norm.cdf(-1),
                  scipy_stats.norm.sf(2), scipy_stats.norm.sf(5) - scipy_stats.norm.sf(5.0001),
                  scipy_stats.norm.cdf(-7) - scipy_stats.norm.cdf(-8),
                  scipy_stats.norm.cdf(0.3001) - scipy_stats.norm.cdf(0.3)])
    np.testing.assert_allclose(normal_log_interval(low, high), np.log(p), rtol=1e-9)
    np.testing.assert_allclose(normal_log_interval(-high, -low), np.log(p), rtol=1e-9)
    far = normal_log_interval(np.array([50.0]), np.array([51.0]))
    np.testing.assert_allclose(far, scipy_stats.norm.logsf(50.0), rtol=1e-12)
