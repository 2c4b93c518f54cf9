"""What importing the library sets in the process, and what it leaves alone."""

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
ctypes.CDLL = lambda name: Library
sys.platform = "linux"
import scratchgen
assert "numpy" not in sys.modules
print(os.environ["OPENBLAS_THREAD_TIMEOUT"], calls)
"""


def found(**env):
    inherited = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    clean = {k: v for k, v in inherited.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=clean | env, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def test_import_lets_blas_threads_sleep_and_memory_stay():
    assert found() == f"19 [(-3, {128 << 20}), (-1, {512 << 20})]"


def test_import_leaves_the_user_s_timeout():
    assert found(OPENBLAS_THREAD_TIMEOUT="26").startswith("26 ")


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_import_leaves_the_user_s_allocator(name):
    assert found(**{name: ""}).endswith(" []")
