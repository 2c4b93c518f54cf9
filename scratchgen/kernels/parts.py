"""Loops over the first axis of arrays, in blocks that threads share (queue.py)."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.kernels.compile import kernel
from scratchgen.kernels.native import task_of_parts
from scratchgen.kernels.queue import MOST, run
from scratchgen.runtime import threads

ENTRIES = 1 << 15       # numbers of an array in a block, which take 5 to 20 µs
ENOUGH = 8              # blocks; for fewer, helpers that sleep are not woken

loop: Any = None        # a kernel, in each copy of `_shared` that `_caller` makes


def _shared(queue, helpers, parts, whole, step, size, count, wake):
    function, data = task_of_parts(loop, parts, whole, step, size)
    return run(queue, helpers, function, data, count, wake, 1)


@functools.cache
def _caller(chosen: Any) -> Callable[..., int]:
    """`_shared` for one kernel. It has its own name, under which the cache of kernels finds it."""
    name = f"{chosen.py_func.__module__.rpartition('.')[2]}.{chosen.py_func.__name__}.blocks"
    caller = types.FunctionType(_shared.__code__, globals() | {"loop": chosen}, name)
    caller.__qualname__ = name
    caller.__module__ = __name__
    found: Callable[..., int] = kernel()(caller)
    return found


def share(
    chosen: Any,
    parts: tuple[np.ndarray, ...],
    whole: tuple[Any, ...] = (),
    each: int = 1,
    entries: int | None = None,
    enough: int = ENOUGH,
) -> None:
    """Call chosen(*parts, *whole), a kernel without a result, for blocks of the first axis of all `parts`.

    The results for different indices of this axis must not depend on each other.

    each : numbers in each array for one index;  entries : numbers in a block, usually ENTRIES
    enough : the smallest number of blocks for which helpers are woken
    """
    size = len(parts[0])
    step = max(1, (entries or ENTRIES) // max(1, each), -(-size // MOST))
    count = -(-size // step)
    if count < 2:
        chosen(*parts, *whole)
        return
    queue, helpers = threads.helpers()
    if _caller(chosen)(queue, helpers, parts, whole, step, size, count, count >= enough):
        raise MemoryError(f"{chosen.py_func.__name__} found no memory for a block of its work")
