"""How a kernel is compiled: at its first call, cached on disk, without the GIL, and with NaN kept."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import event

from scratchgen.kernels.cache import KernelCache, warn_uncached

# The fast-math flags that kernels may use. Each kernel names the flags that it needs:
#   "contract"  a·b + c may be computed with one rounding instead of two
#   "reassoc"   the terms of a sum may be added in any order, which SIMD instructions need. Never use it in a
#               kernel with a difference that must be taken before something is added: log(n) - (l - max)
#               became (log(n) + max) - l, which loses every digit at logits of 1e8
#   "nsz"       the sign of zero may be lost; the compiler reorders sums only together with this flag
# The others are never used: "nnan" and "ninf" may drop the NaN of a diverging run, "arcp" (multiply by the
# reciprocal) gave NaN where NumPy gives a finite number.
FLAGS = ("contract", "reassoc", "nsz")


def kernel(*flags: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile the decorated function at its first call for each dtype, and keep the machine code on disk.

    flags : the fast-math flags that this function may be compiled with, some of FLAGS

    error_model="numpy" makes 1/0 an infinity. With Python's error model, the check for zero keeps the
    compiler from using SIMD instructions (a sigmoid over 128,000 numbers: 265 µs instead of 19 µs).
    """
    unknown = set(flags) - set(FLAGS)
    if unknown:
        raise ValueError(f"kernel expected flags among {', '.join(FLAGS)}, got {', '.join(sorted(unknown))}")

    def compile_lazily(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher: Any = njit(nogil=True, fastmath=set(flags), error_model="numpy")(function)
        try:
            dispatcher._cache = KernelCache(function)
        except RuntimeError:  # Numba found no folder it may write to
            warn_uncached()
        return dispatcher

    return compile_lazily


class Listener(event.Listener):
    """Is told of each function that Numba compiles rather than reads from its cache."""

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__    # None for a function made by exec
        if (module or "").startswith("scratchgen."):
            say_compiling()

    def on_end(self, event: Any) -> None:
        pass


@functools.cache
def say_compiling() -> None:
    """Log once why the first steps take longer. The command line shows this message."""
    logging.getLogger("scratchgen").info("compiling the kernels for this machine, once: some seconds")


event.register("numba:compile", Listener())
