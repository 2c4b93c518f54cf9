"""How a twin is chosen, and how kernels are compiled."""

import ast
import inspect
import logging
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from scratchgen import kernels, layers
from scratchgen.kernels import compile as compiling

COMPILING = "compiling the kernels for this machine; this takes some seconds, the first time only"


def total(x, out):
    for i in range(x.size):
        out[i] = x[i] / x[0]


def test_kernel_divides_by_zero_like_numpy_and_keeps_nan():
    out = np.empty(3)
    compiling.kernel("contract")(total)(np.array([0.0, 1.0, np.nan]), out)
    assert np.isnan(out[0]) and np.isposinf(out[1]) and np.isnan(out[2])


def test_kernel_without_a_cache_works_and_warns_once(monkeypatch):
    """If Numba finds no folder to write to, it raises, and the kernel is compiled without a cache."""
    def nowhere_to_write(function):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(compiling, "KernelCache", nowhere_to_write)
    compiling.warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR") as caught:
        first, second = compiling.kernel("contract")(total), compiling.kernel("contract")(total)
    assert len(caught) == 1
    for function in (first, second):
        out = np.empty(2)
        function(np.array([2.0, 4.0]), out)
        np.testing.assert_array_equal(out, [1, 2])


def test_compiling_is_logged_once_and_only_for_kernels(caplog):
    compiling.log_compiling.cache_clear()
    own = types.FunctionType(total.__code__, globals())
    own.__module__ = "scratchgen.kernels.made_up"
    with caplog.at_level(logging.INFO, "scratchgen"):
        compiling.njit(total)(np.ones(2), np.empty(2))      # a user's own function
        assert not caplog.records
        for dtype in (np.float32, np.float64):
            compiling.njit(own)(np.ones(2, dtype), np.empty(2, dtype))
    assert [record.getMessage() for record in caplog.records] == [
        COMPILING
    ]


@pytest.mark.slow
def test_command_reports_that_kernels_are_compiled(tmp_path):
    """The command writes a message to stderr only if the cache is empty. A script writes no message."""
    step = "import numpy as np; from scratchgen import SiLU; SiLU().forward(np.ones((4, 3)))"
    ways = {"command": ["-m", "scratchgen", "gradcheck", "SiLU"], "library": ["-c", step]}

    def errors(how):
        env = {"NUMBA_CACHE_DIR": str(tmp_path / how), "PATH": ""}
        command = [sys.executable, *ways[how]]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stderr

    assert errors("command") == f"scratchgen: {COMPILING}\n"
    assert errors("command") == errors("library") == ""


@pytest.mark.slow
def test_environment_chooses_the_kernels():
    """With SCRATCHGEN_KERNELS=reference, Numba is not imported. An unknown name is an error."""
    code = (
        "import sys, numpy as np\n"
        "from scratchgen import kernels, Linear, SiLU, Sequential, squared_error\n"
        "net = Sequential(Linear(3, 2, rng=np.random.default_rng(0)), SiLU())\n"
        "out, cache = net.forward(np.ones((4, 3), np.float32))\n"
        "net.backward(squared_error(out, out)[1], cache)\n"
        "print(kernels.backend(), 'numba' in sys.modules)\n"
    )

    def run(choice, *words):
        command, env = [sys.executable, *(words or ("-c", code))], {"SCRATCHGEN_KERNELS": choice, "PATH": ""}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert run("reference").stdout == "reference False\n"
    assert run("jit").stdout == "jit True\n"
    message = "SCRATCHGEN_KERNELS expected one of jit, reference, got 'fast'\n"
    assert run("fast").stderr.endswith(f"ValueError: {message}")
    assert run("fast", "-c", "import scratchgen.layers").stderr.endswith(f"ValueError: {message}")
    assert run("fast", "-m", "scratchgen", "gradcheck", "ReLU").stderr == f"scratchgen: error: {message}"


def test_use_chooses_for_a_block_only():
    before = kernels.backend()
    with kernels.use("reference"):
        assert kernels.backend() == "reference"
        with kernels.use("jit"):
            assert kernels.backend() == "jit"
        assert kernels.backend() == "reference"
    assert kernels.backend() == before
    with pytest.raises(ValueError, match="got 'fast'"), kernels.use("fast"):
        pass


def scale(x, factor=2.0):
    """The readable function."""
    return ("readable", x, factor)


@pytest.fixture
def pair(monkeypatch):
    """`scale`, decorated, with a twin in a module kernels/made_up that exists only here."""
    twins = types.ModuleType("scratchgen.kernels.made_up")
    twins.scale = lambda x, factor=2.0: ("twin", x, factor)
    monkeypatch.setitem(sys.modules, twins.__name__, twins)
    readable = types.FunctionType(scale.__code__, globals(), "scale", scale.__defaults__)
    readable.__module__, readable.__doc__ = "scratchgen.layers.made_up", scale.__doc__
    monkeypatch.setattr(kernels, "FUNCTIONS", [])
    return kernels.compiled(readable)


def test_compiled_calls_the_twin_and_the_readable_function_on_request(pair):
    with kernels.use("jit"):
        assert pair(1, factor=3) == ("twin", 1, 3)
        with kernels.use("reference"):
            assert pair(1) == ("readable", 1, 2.0)
        assert pair(1) == ("twin", 1, 2.0)


def test_compiled_function_has_the_docstring_and_source_of_the_reference(pair):
    assert pair.__name__ == "scale" and pair.__doc__ == "The readable function."
    assert inspect.signature(pair) == inspect.signature(scale)
    assert pair.__wrapped__(1) == ("readable", 1, 2.0)
    assert [pair] == kernels.FUNCTIONS
    assert inspect.getsource(layers.linear.affine).startswith("@compiled\ndef affine(x: Array")


def test_compiled_function_without_a_twin_raises():
    def without_twin(x):
        return x

    without_twin.__module__ = "scratchgen.layers.linear"
    with pytest.raises(AttributeError, match="scratchgen.kernels.linear.* has no attribute 'without_twin'"):
        kernels.find_twin(without_twin)


def test_kernel_refuses_flags_that_may_lose_a_nan():
    with pytest.raises(ValueError, match="to be some of contract, reassoc, nsz, got arcp, nnan"):
        compiling.kernel("contract", "nnan", "arcp")


def test_every_kernel_names_its_flags():
    """Each kernel has its flags in the decorator on the line above."""
    folder = Path(kernels.__file__).parent
    lines = [line for path in folder.glob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]
    decorated = [line for line in lines if "@kernel" in line]
    assert len(decorated) > 30
    assert all(re.fullmatch(r'@kernel\(("contract"(, "reassoc", "nsz")?)?\)', line) for line in decorated)


def sums_of_products(source: str) -> list[str]:
    """The sums of two products in kernels with "contract", apart from those in indices and arguments."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef) or '"contract"' not in "".join(
            ast.unparse(d).replace("'", '"') for d in function.decorator_list
        ):
            continue
        indices = {
            id(part)
            for node in ast.walk(function)
            if isinstance(node, ast.Subscript | ast.Call)
            for index in ([node.slice] if isinstance(node, ast.Subscript) else node.args)
            for part in ast.walk(index)
        }
        for node in ast.walk(function):
            added = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
            if added and id(node) not in indices:
                sides = (node.left, node.right)
                if all(isinstance(side, ast.BinOp) and isinstance(side.op, ast.Mult) for side in sides):
                    found.append(f"{function.name}: {ast.unparse(node)}")
    return found


def test_no_kernel_lets_the_compiler_choose_which_product_it_rounds():
    """With "contract", a·b + c·d has two possible results. Compiled and cached, Adam once differed."""
    found = [
        line
        for path in Path(kernels.__file__).parent.glob("*.py")
        for line in sums_of_products(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_sum_of_two_products_is_found():
    wrong = "@kernel('contract')\ndef step(m, g, a, b):\n    m[0] = a * m[0] - b * g[0]"
    assert sums_of_products(wrong) == ["step: a * m[0] - b * g[0]"]
    assert sums_of_products(wrong.replace("'contract'", "")) == []
