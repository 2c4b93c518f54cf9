"""Fixtures of all tests: a seeded generator, both sets of kernels, and a demo on a few digits."""

import os

# The arrays of the tests are small, and on a busy machine, BLAS threads that wait cost twenty times more than
# they save. NumPy reads this variable once, when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import importlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import scratchgen.data
from scratchgen import kernels
from scratchgen.data import load_digits

# If a shell starts the tests in the background, they ignore Ctrl-C, but some tests send Ctrl-C to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.load_profile("steady")


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run in one process if a test started pytest, or if the arguments are single tests.

    Returning None leaves the number of workers of `-n auto` to pytest-xdist.
    """
    started_by_a_test = "PYTEST_XDIST_WORKER" in os.environ
    single = bool(config.args) and all("::" in name for name in config.args)
    return 0 if started_by_a_test or single else None


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
    """Run one demo on the embedded digits, check its figure and its output, and return its results.

    name     : family and name, such as "vae.prior_code"
    most     : the largest share of the figure that may be non-white
    settings : keyword arguments of the demo's main
    """

    def run(name: str, most: float = 0.9, **settings: Any) -> dict[str, Any]:
        demo = importlib.import_module(f"demos.{name}")
        monkeypatch.setattr(scratchgen.data, "load_digits", lambda: load_digits("embedded"))
        monkeypatch.setattr(demo, "load_digits", lambda: load_digits("embedded"), raising=False)
        results = demo.main(tmp_path, **settings)

        picture = tmp_path / f"{name.partition('.')[2]}.png"
        pictures = [value for value in results.values() if isinstance(value, Path)]
        assert picture in pictures and sorted(pictures) == sorted(tmp_path.iterdir())
        with Image.open(picture) as image:
            assert image.width == 1200 and 500 <= image.height <= 1300
            levels = np.asarray(image.convert("L"))
        assert np.ptp(levels) > 200 and 0.02 < (levels < 250).mean() < most

        printed = capsys.readouterr().out.splitlines()
        wide = [line for line in printed if len(line) > 80 and str(tmp_path) not in line]
        assert printed and not wide
        return results

    return run
