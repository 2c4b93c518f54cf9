"""The masked softmax in both sets of kernels: the same numbers, in place too."""

import numpy as np
import pytest

from scratchgen.kernels.jit import attention as jit
from scratchgen.kernels.reference import attention as reference

TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_causal_softmax_kernels_agree(dtype, rng):
    scores = (3 * rng.standard_normal((4, 7, 7))).astype(dtype)
    scale, results = dtype(0.6), []
    for kernels in (reference, jit):
        p, dscores = np.full_like(scores, np.nan), np.full_like(scores, np.nan)
        kernels.causal_softmax_forward(scores, scale, p)
        kernels.causal_softmax_backward(scores[::-1].copy(), p, scale, dscores)
        in_place = scores.copy()
        kernels.causal_softmax_forward(in_place, scale, in_place)
        np.testing.assert_allclose(in_place, p, rtol=TOLERANCE[dtype])
        in_place = scores[::-1].copy()
        kernels.causal_softmax_backward(in_place, p, scale, in_place)
        np.testing.assert_allclose(in_place, dscores, atol=TOLERANCE[dtype])
        results.append((p, dscores))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("kernels", [reference, jit])
def test_causal_softmax_shows_a_nan_of_the_past_and_none_of_the_future(kernels):
    scores = np.zeros((1, 3, 3))
    scores[0, 1, 1] = np.nan
    scores[0, 0, 2] = np.nan
    p = np.empty_like(scores)
    kernels.causal_softmax_forward(scores, 1.0, p)
    assert np.isnan(p[0, 1, :2]).all()
    assert p[0, 0].tolist() == [1, 0, 0]
