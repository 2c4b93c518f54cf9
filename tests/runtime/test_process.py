"""The process settings that importing the library makes, and those that it does not change."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, os, sys
calls = []
class Library:
    @staticmethod
    def mallopt(option, value):
        calls.append((option, value))
        return option != -3 or value <= int(os.environ["MOST"])
ctypes.CDLL = lambda name: Library
sys.platform = "linux"
import scratchgen
assert "numpy" not in sys.modules
print(os.environ["OPENBLAS_THREAD_TIMEOUT"], calls)
"""


def found(most=1 << 40, **env):
    inherited = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    clean = {k: v for k, v in inherited.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    env |= {"MOST": str(most)}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=clean | env, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def test_import_lets_blas_threads_sleep_and_memory_stay():
    assert found() == f"19 [(-3, {128 << 20}), (-1, {512 << 20})]"


def test_import_keeps_a_timeout_that_is_set():
    assert found(OPENBLAS_THREAD_TIMEOUT="26").startswith("26 ")


def test_import_uses_the_threshold_that_an_older_glibc_allows():
    """It refuses a threshold above 32 MB. With the other setting alone, every array would use new memory."""
    tried = [(-3, 128 << 20), (-3, 32 << 20)]
    assert found(most=32 << 20).endswith(str([*tried, (-1, 512 << 20)]))
    assert found(most=0).endswith(str(tried))


def test_import_after_numpy_sets_no_timeout_that_would_only_reach_children():
    code = "import numpy, os, scratchgen; print(os.environ.get('OPENBLAS_THREAD_TIMEOUT'))"
    clean = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    run = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "None"


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_import_keeps_allocator_settings(name):
    assert found(**{name: ""}).endswith(" []")
