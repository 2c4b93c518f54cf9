"""The settings that runtime.process.prepare makes or does not change. An import makes none."""

import os
import subprocess
import sys

import pytest

FIRST_CALL = """
import types
import scratchgen, numpy as np
from scratchgen.layers.activations import sigmoid
from scratchgen.runtime import process
calls = []
class Library:
    @staticmethod
    def mallopt(option, value):
        calls.append(option)
        return True
process.ctypes = types.SimpleNamespace(CDLL=lambda name: Library)
assert not calls
with scratchgen.kernels.use("reference"):
    sigmoid(np.zeros(3))
assert not calls
sigmoid(np.zeros(3))
assert calls
sigmoid(np.zeros(3))
print(calls)
"""

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
assert not calls and "OPENBLAS_THREAD_TIMEOUT" not in os.environ or os.environ.get("KEPT")
from scratchgen.runtime import process
process.prepare()
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


def test_prepare_lets_blas_threads_sleep_and_keeps_memory():
    assert found() == f"19 [(-3, {128 << 20}), (-1, {512 << 20})]"


def test_prepare_does_not_change_the_timeout_of_the_user():
    assert found(OPENBLAS_THREAD_TIMEOUT="26", KEPT="1").startswith("26 ")


def test_prepare_uses_the_largest_size_that_an_older_glibc_accepts():
    """It accepts at most 32 MB. The other setting alone would give every array new memory."""
    thresholds = [(-3, 128 << 20), (-3, 32 << 20)]
    assert found(most=32 << 20).endswith(str([*thresholds, (-1, 512 << 20)]))
    assert found(most=0).endswith(str(thresholds))


def test_prepare_after_numpy_does_not_set_the_timeout():
    code = (
        "import numpy, os; from scratchgen.runtime import process; process.prepare()\n"
        "print(os.environ.get('OPENBLAS_THREAD_TIMEOUT'))"
    )
    clean = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    run = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "None"


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_prepare_does_not_change_the_allocator_settings_of_the_user(name):
    assert found(**{name: ""}).endswith(" []")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_memory_is_kept_from_the_first_compiled_function_on_and_is_asked_for_once():
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    run = subprocess.run(
        [sys.executable, "-c", FIRST_CALL], env=clean, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[-3, -1]"
