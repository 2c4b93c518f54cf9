"""The two sets of kernels for drawing from a MADE, on the same sorted arrays."""

import numpy as np
import pytest

from scratchgen import kernels

PLACES, WIDTHS = 9, (7, 5)


def arguments(dtype, rng):
    degrees = [np.sort(rng.integers(1, PLACES, width)) for width in WIDTHS]
    ends = tuple(np.searchsorted(m, np.arange(PLACES), side="right") for m in degrees)
    first = rng.standard_normal((PLACES, WIDTHS[0])).astype(dtype)
    upper = tuple(
        rng.standard_normal(shape).astype(dtype) for shape in ((WIDTHS[1], WIDTHS[0]), (PLACES, WIDTHS[1]))
    )
    starts = tuple(rng.standard_normal((50, width)).astype(dtype) for width in (*WIDTHS, PLACES))
    uniform, x = rng.random((50, PLACES)).astype(dtype), (rng.random((50, PLACES)) < 0.5).astype(dtype)
    return uniform, 2, first, upper, ends, starts, x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_sets_draw_the_same_pixels_and_leave_their_inputs(dtype, rng):
    given = arguments(dtype, rng)
    found = {}
    for name in kernels.BACKENDS:
        uniform, known, first, upper, ends, starts, x = given
        starts, x = tuple(a.copy() for a in starts), x.copy()
        before = [a.copy() for a in (uniform, first, *upper, *ends)]
        with kernels.use(name):
            kernels.autoregressive.made_draw(uniform, known, first, upper, ends, starts, x)
        for a, b in zip((uniform, first, *upper, *ends), before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert (x[:, :2] == given[-1][:, :2]).all() and (x[:, 2:] != given[-1][:, 2:]).any()
        found[name] = (x, starts)
    np.testing.assert_array_equal(found["jit"][0], found["reference"][0])
    # the hidden layers, up to the units that the last pixel would complete
    for a, b in zip(found["jit"][1][:2], found["reference"][1][:2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-6)
