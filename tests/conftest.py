"""What all tests share: a seeded generator, both sets of kernels, and Hypothesis without chance."""

import os

# The arrays of the tests are small, and BLAS threads that spin beside other work cost twenty times more than
# they bring. Said before NumPy is loaded, which reads it once.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import runpy
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import scratchgen.data
from scratchgen import kernels
from scratchgen.data import load_digits

DEMOS = Path(__file__).resolve().parent.parent / "demos"

# A shell that starts the tests in the background has them ignore Ctrl-C, which some of them send themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.fixture
def run_demo(monkeypatch, tmp_path, capsys):
    """Run one demo on the embedded digits, look at its picture, and return the lines that it printed.

    most : the largest share of the picture that may be other than white
    """
    monkeypatch.setattr(scratchgen.data, "load_digits", lambda: load_digits("embedded"))

    def run(script: str, picture: str, most: float = 0.9, **budget: int) -> list[str]:
        runpy.run_path(str(DEMOS / script))["main"](tmp_path, **budget)
        assert [path.name for path in tmp_path.iterdir()] == [picture]
        with Image.open(tmp_path / picture) as image:
            assert image.width == 1200 and 500 <= image.height <= 1300
            levels = np.asarray(image.convert("L"))
        assert np.ptp(levels) > 200 and 0.02 < (levels < 250).mean() < most
        return capsys.readouterr().out.splitlines()

    return run
