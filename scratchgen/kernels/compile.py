"""Compile kernels with Numba: at the first call, cached on disk, without the GIL, with correct NaNs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import event

from scratchgen.kernels.cache import KernelCache, warn_uncached

# The fast-math flags that kernels may use. Each kernel names the flags that it needs:
#   "contract"  a·b + c may be computed with one rounding instead of two. Never use it in a kernel with a sum
#               of two products of numbers: in a·b + c·d the compiler may choose which product it does not
#               round. For one kernel it chose one product when the kernel was compiled in this process, and
#               the other when it was read from the cache
#   "reassoc"   the terms of a sum may be added in any order, which SIMD instructions need. Never use it in a
#               kernel with a difference that must be taken before something is added: log(n) - (l - max)
#               became (log(n) + max) - l, which loses every digit at logits of 1e8
#   "nsz"       the sign of zero may be lost; the compiler reorders sums only together with this flag
# The others are never used: "nnan" and "ninf" may drop the NaN of a diverging run, "arcp" (multiply by the
# reciprocal) gave NaN where NumPy gives a finite number.
FLAGS = ("contract", "reassoc", "nsz")


def kernel(*flags: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function so that it is compiled at its first call for each dtype, and cached on disk.

    flags : the fast-math flags for this function, each one of FLAGS

    Raises ValueError for other flags.

    error_model="numpy" makes 1/0 an infinity. With Python's error model, the check for zero keeps the
    compiler from using SIMD instructions (a sigmoid over 128,000 numbers: 265 µs instead of 19 µs).
    """
    unknown = set(flags) - set(FLAGS)
    if unknown:
        known, got = ", ".join(FLAGS), ", ".join(sorted(unknown))
        raise ValueError(f"kernel expected flags to be some of {known}, got {got}")

    def compile_lazily(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher: Any = njit(nogil=True, fastmath=set(flags), error_model="numpy")(function)
        try:
            dispatcher._cache = KernelCache(function)
        except RuntimeError:  # Numba found no folder it may write to
            warn_uncached()
        return dispatcher

    return compile_lazily


class CompileListener(event.Listener):
    """Numba calls this for each function that it compiles instead of reading it from its cache."""

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__    # None for a function made by exec
        if (module or "").startswith("scratchgen."):
            log_compiling()

    def on_end(self, event: Any) -> None:
        pass


@functools.cache
def log_compiling() -> None:
    """Log once that kernels are being compiled. The command line shows this message."""
    message = "compiling the kernels for this machine; this takes some seconds, the first time only"
    logging.getLogger("scratchgen").info(message)


event.register("numba:compile", CompileListener())
