"""All versions compute the matrix product, and the peak counts its operations correctly."""

import numpy as np
import pytest

from scratchgen.studies.experiments import matrix_products


@pytest.mark.slow
@pytest.mark.parametrize("name", ["three loops", "rows", "panels", "registers"])
def test_version_is_the_product_over_several_panels(rng, name):
    a, b = rng.standard_normal((8, 301)), rng.standard_normal((301, 260))
    out = np.full((8, 260), np.nan)
    matrix_products.VERSIONS[name](a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_peak_counts_its_operations(rng):
    """Each of the eight sums uses every number `times` times; the first factor changes each time."""
    x = rng.standard_normal(50)
    total = matrix_products.eight_sums(x, (2.0, *range(7)), 2)
    first, last = 2.0, x.sum() * 6
    assert total == pytest.approx(x.sum() * (first + first + last + 2 * sum(range(7))))
