"""Compiled twins of the readable functions, and the decorator that chooses between the two.

A function decorated with `compiled` defines the computation in plain NumPy. Its twin is a fast function with
the same name, arguments and results, in the module of the same name in this package. For example, the twins
of `layers/normalisation.py` are in `kernels/normalisation.py`.

The twins run unless the environment variable SCRATCHGEN_KERNELS is "reference" or the call is inside
``with kernels.use("reference")``. With the reference functions, the library runs without Numba, so a debugger
can step through all of it. A test calls every function in both ways and compares the results.

The variable is read once, when this package is imported. Changing it later has no effect; use `use` instead.

All code that is longer for the sake of speed is in this package: threads, in-place writes, special cases.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar, cast

from scratchgen.runtime.process import keep_memory

BACKENDS = ("jit", "reference")
WITHOUT_NUMBA = (
    "Numba is not installed, so scratchgen runs its reference functions, which are plain NumPy. Results are "
    "the same up to rounding. Convolutions, pooling, attention, recurrent layers, normalisation, "
    "activations, optimisers and sampling from MADE are slower. Install numba, or set "
    "SCRATCHGEN_KERNELS=reference to use these functions without this warning"
)
FUNCTIONS: list[Callable[..., Any]] = []    # every function that was decorated with `compiled`

F = TypeVar("F", bound=Callable[..., Any])


def from_environment() -> str:
    """Return the value of SCRATCHGEN_KERNELS.

    If it is not set, the answer is "jit", and "reference" with NUMBA_DISABLE_JIT=1: without the compiler,
    Python would run the loops of the twins, slowly and with other errors. Without Numba the answer is
    "reference", with a warning that says what is slower.

    Raises ValueError if it is not one of BACKENDS, and ImportError for "jit" without Numba.
    """
    name = os.environ.get("SCRATCHGEN_KERNELS")
    if not name:
        if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
            return "reference"
        if has_numba():
            return "jit"
        warnings.warn(WITHOUT_NUMBA, RuntimeWarning, stacklevel=2)
        return "reference"
    if name not in BACKENDS:
        raise ValueError(f"SCRATCHGEN_KERNELS expected one of {', '.join(BACKENDS)}, got {name!r}")
    if name == "jit" and not has_numba():
        raise ImportError("SCRATCHGEN_KERNELS=jit expected Numba to be installed; pip install numba")
    return name


def has_numba() -> bool:
    """Whether Numba is installed. It is not imported."""
    try:
        return find_spec("numba") is not None
    except (ImportError, ValueError):
        return False


_usual = from_environment()
_chosen: ContextVar[str] = ContextVar("scratchgen.kernels", default=_usual)


def compiled(function: F) -> F:
    """Decorate a function so that a call runs its twin, unless the reference functions are in use.

    The twin is looked up at the first call, so Numba is not imported before it is needed. The function itself
    is available as ``__wrapped__``.
    """
    twin: Callable[..., Any] | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal twin
        if _chosen.get() == "reference":
            return function(*args, **kwargs)
        if twin is None:
            twin = find_twin(function)
        return twin(*args, **kwargs)

    FUNCTIONS.append(call)
    return cast(F, call)


def find_twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of the same name, from the module of this package with the same name."""
    keep_memory()   # steps make many arrays: memory that is reused makes them up to 28 % faster
    module = import_module(f"{__name__}.{function.__module__.rpartition('.')[2]}")
    return cast(Callable[..., Any], getattr(module, function.__name__))


def backend() -> str:
    """Return which functions run: "jit" for the compiled twins, "reference" for the readable functions."""
    return _chosen.get()


@contextmanager
def use(name: str) -> Iterator[None]:
    """Run the enclosed block with the "jit" or the "reference" functions.

    This overrides the environment variable, in this thread only, like numpy.errstate. Other threads are not
    affected, and threads that are started inside the block use the default. Raises ValueError for any other
    name, and ImportError for "jit" without Numba.
    """
    if name not in BACKENDS:
        raise ValueError(f"kernels.use expected one of {', '.join(BACKENDS)}, got {name!r}")
    if name == "jit" and not has_numba():
        raise ImportError('kernels.use("jit") expected Numba to be installed; pip install numba')
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)
