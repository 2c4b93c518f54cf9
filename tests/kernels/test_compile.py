"""How kernels are chosen and compiled."""

import logging
import subprocess
import sys
import types

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.kernels.jit import compile as compiling


def total(x, out):
    for i in range(x.size):
        out[i] = x[i] / x[0]


def test_kernel_divides_by_zero_as_numpy_does_and_keeps_nan():
    out = np.empty(3)
    compiling.kernel(total)(np.array([0.0, 1.0, np.nan]), out)
    assert np.isnan(out[0]) and np.isposinf(out[1]) and np.isnan(out[2])


def test_kernel_without_a_cache_works_and_says_so_once(monkeypatch):
    """Where Numba finds no folder to write to, it raises at once; then the kernel is compiled uncached."""
    njit = compiling.njit

    def nowhere_to_write(cache=False, **settings):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**settings)

    monkeypatch.setattr(compiling, "njit", nowhere_to_write)
    compiling.warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR") as said:
        first, second = compiling.kernel(total), compiling.kernel(total)
    assert len(said) == 1
    for function in (first, second):
        out = np.empty(2)
        function(np.array([2.0, 4.0]), out)
        np.testing.assert_array_equal(out, [1, 2])


def test_compiling_is_said_once_in_the_log_and_only_of_kernels(caplog):
    compiling.say_compiling.cache_clear()
    own = types.FunctionType(total.__code__, globals())
    own.__module__ = "scratchgen.kernels.made_up"
    with caplog.at_level(logging.INFO, "scratchgen"):
        compiling.njit(total)(np.ones(2), np.empty(2))      # a user's own function
        assert not caplog.records
        for dtype in (np.float32, np.float64):
            compiling.njit(own)(np.ones(2, dtype), np.empty(2, dtype))
    assert [record.getMessage() for record in caplog.records] == [
        "compiling the kernels for this machine, once: some seconds"
    ]


def test_command_says_what_the_first_step_waits_for(tmp_path):
    """With an empty cache, on stderr; with a full one, and outside of the command, nothing."""
    step = "import numpy as np; from scratchgen import SiLU; SiLU().forward(np.ones((4, 3)))"
    ways = {"command": ["-m", "scratchgen", "gradcheck", "SiLU"], "library": ["-c", step]}

    def errors(how):
        env = {"NUMBA_CACHE_DIR": str(tmp_path / how), "PATH": ""}
        command = [sys.executable, *ways[how]]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stderr

    assert errors("command") == "scratchgen: compiling the kernels for this machine, once: some seconds\n"
    assert errors("command") == errors("library") == ""


def test_environment_chooses_the_kernels():
    """SCRATCHGEN_KERNELS=reference runs without Numba being imported at all; a wrong name is named."""
    code = (
        "import sys, numpy as np\n"
        "from scratchgen import kernels, Linear, SiLU, Sequential, squared_error\n"
        "net = Sequential(Linear(3, 2, rng=np.random.default_rng(0)), SiLU())\n"
        "out, cache = net.forward(np.ones((4, 3), np.float32))\n"
        "net.backward(squared_error(out, out)[1], cache)\n"
        "print(kernels.backend(), 'numba' in sys.modules)\n"
    )

    def run(choice):
        command, env = [sys.executable, "-c", code], {"SCRATCHGEN_KERNELS": choice, "PATH": ""}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert run("reference").stdout == "reference False\n"
    assert run("jit").stdout == "jit True\n"
    assert "expected one of jit, reference, got 'fast'" in run("fast").stderr


def test_use_chooses_for_a_block_and_puts_back():
    before = kernels.backend()
    with kernels.use("reference"):
        assert kernels.backend() == "reference"
        with kernels.use("jit"):
            assert kernels.losses.__name__.endswith("jit.losses")
        assert kernels.losses.__name__.endswith("reference.losses")
    assert kernels.backend() == before
    with pytest.raises(ValueError, match="got 'fast'"), kernels.use("fast"):
        pass


def test_kernels_have_no_attribute_that_is_no_module():
    """Whoever asks with hasattr, as inspecting tools do, gets an answer and no import error."""
    assert not hasattr(kernels, "no_such_kernels")
    assert hasattr(kernels, "activations")
