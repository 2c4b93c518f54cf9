"""The hot loops, each written twice: `reference` in plain NumPy, `jit` compiled by Numba.

Both packages have the same modules, the same functions and the same signatures, and a kernel writes its
result into the arrays it is given last. Callers write ``kernels.activations.relu_forward(x, out)`` and get
one of the two: jit, unless the environment says ``SCRATCHGEN_KERNELS=reference``. With the reference
kernels the whole library runs without Numba, so a debugger can step through all of it.

Kernels know arrays, not layers, and draw no random numbers. A call runs on one thread, without the GIL; who
has long arrays gives each thread a part of them (scratchgen/threads.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

BACKENDS = ("jit", "reference")

_chosen: str | None = None


def backend() -> str:
    """The name of the kernels in use: "jit" or "reference".

    Raises ValueError when SCRATCHGEN_KERNELS names neither.
    """
    name = _chosen or os.environ.get("SCRATCHGEN_KERNELS") or "jit"
    if name not in BACKENDS:
        raise ValueError(f"SCRATCHGEN_KERNELS expected one of {', '.join(BACKENDS)}, got {name!r}")
    return name


@contextmanager
def use(name: str) -> Iterator[None]:
    """Run the enclosed block with the named kernels, whatever the environment says."""
    global _chosen
    if name not in BACKENDS:
        raise ValueError(f"kernels.use expected one of {', '.join(BACKENDS)}, got {name!r}")
    before, _chosen = _chosen, name
    try:
        yield
    finally:
        _chosen = before


def __getattr__(module: str) -> ModuleType:
    # Looked up at every call, so that `use` takes effect at once and Numba is imported by the first kernel.
    if module.startswith("__"):
        raise AttributeError(module)
    name = f"{__name__}.{backend()}.{module}"
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {module!r}") from None
