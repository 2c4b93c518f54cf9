"""The helper that runs a flat loop over arrays of any shape."""

import numpy as np
import pytest


def test_elementwise_refuses_arrays_of_different_shapes():
    from scratchgen.kernels.activations import elementwise

    with pytest.raises(ValueError, match=r"expected arrays of the same shape, got \[\(4,\), \(3,\)\]"):
        elementwise(lambda *arrays: None, np.ones(4), np.ones(3))
