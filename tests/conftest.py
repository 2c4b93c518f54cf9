"""What all tests share: a seeded generator, both sets of kernels, and Hypothesis without chance."""

import os

# The arrays of the tests are small, and BLAS threads that spin beside other work cost twenty times more than
# they bring. Said before NumPy is loaded, which reads it once.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

from scratchgen import kernels

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.load_profile("steady")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(params=kernels.BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once with each set of kernels."""
    with kernels.use(request.param):
        yield request.param
