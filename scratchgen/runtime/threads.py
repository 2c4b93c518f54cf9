"""The helper threads with which kernels share long computations.

kernels/queue.py explains how the work is shared. This file starts the threads and says how many take part.

There are as many threads as BLAS is set to, including the one that calls the library, but not more than
cores. So OPENBLAS_NUM_THREADS=1 makes the whole library serial. Results do not depend on this number, because
no number depends on how the work is divided.

Helpers exist on Linux with a processor of type x86-64 or AArch64. On other systems, the calling thread
computes all blocks.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

WHOLE = np.dtype(np.int64)
MOST = 64       # helpers for which there is memory, unless there are more cores


class Helpers:
    """The memory of a queue, and the threads that take work from it."""

    def __init__(self, most: int):
        from scratchgen.kernels import queue

        self.queue, self.threads = queue, list[threading.Thread]()
        self.memory = np.zeros(queue.size(most) // 8 + 8, WHOLE)
        start: int = self.memory.ctypes.data
        self.address = start + -start % queue.LINE
        words = self.memory[(self.address - start) // 8 :]
        for core in os.sched_getaffinity(0):
            if core < 8 * queue.MASK:
                words[queue.CORES // 8 + core // 64] |= np.left_shift(np.int64(1), core % 64)
        whole = queue.types.int64
        help_out: Any = queue.help_out
        help_out.compile((whole, whole))            # here, as a fork while a helper compiles could block
        each = min(self._pauses(10_000) for _ in range(3)) / 10_000
        times = queue.SPIN, queue.PATIENCE, queue.LONG
        words[queue.LOOKS // 8 :][:3] = [int(microseconds / each) for microseconds in times]

    def _pauses(self, count: int) -> float:
        start = time.perf_counter()
        self.queue.pauses(count)
        return (time.perf_counter() - start) * 1e6

    def start(self, count: int) -> None:
        """Start threads until there are `count`. Raises RuntimeError if Python is shutting down."""
        while len(self.threads) < count:
            number = len(self.threads)
            thread = threading.Thread(
                target=self.queue.help_out,
                args=(self.address, number),
                name=f"scratchgen-{number}",
                daemon=True,
            )
            thread.start()
            self.threads.append(thread)

    def stop(self) -> None:
        """End the threads. They must not run any more when Python unloads the compiled code."""
        self.queue.stop(self.address)
        for thread in self.threads:
            thread.join(1)


_lock = threading.Lock()
_helpers: Helpers | None = None
_ended = False      # whether Python is shutting down, or cannot start threads


def helpers() -> tuple[int, int]:
    """The address of the queue, and the number of helpers that may take part; (0, 0) if there are none."""
    wanted = count() - 1
    if wanted < 1 or _ended:
        return 0, 0
    found = _helpers
    if found is None or len(found.threads) < wanted:
        found = _start(wanted)
    return (0, 0) if found is None else (found.address, wanted)


def _start(wanted: int) -> Helpers | None:
    global _helpers, _ended
    with _lock:
        if _ended:
            return None
        try:
            if _helpers is None:
                _helpers = Helpers(max(MOST, _processors()))
                atexit.register(_stop)
            _helpers.start(wanted)
        except RuntimeError:        # Python is shutting down, or cannot start a thread
            _ended = True
            return None
        return _helpers


def _stop() -> None:
    global _ended
    with _lock:
        _ended = True
        if _helpers is not None:
            _helpers.stop()


def count() -> int:
    """The number of threads that share a computation."""
    return min(_usual or _blas_threads() or _processors(), _processors())


@functools.cache
def _processors() -> int:
    """The number of cores that this process may use; 1 if there are no helpers on this system."""
    if sys.platform != "linux":
        return 1
    from scratchgen.kernels.queue import FUTEX

    return len(os.sched_getaffinity(0)) if FUTEX else 1


def _blas_threads() -> int:
    """The number of threads of BLAS; 0 if threadpoolctl does not know the library, like Accelerate."""
    return min((blas.get_num_threads() for blas in _blas()), default=0)


@functools.cache
def _blas() -> list[Any]:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:     # in a browser
        return []
    found: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return found


# NumPy's own products, such as `x @ w` in a layer, are computed by BLAS, whose bits depend on the number of
# its threads. So a training step limits BLAS to one.
_users, _usual = 0, 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread in this process. Kernels use as many threads as before."""
    global _users, _usual
    with _lock:
        if _users == 0:
            _usual = _blas_threads()
            if _usual > 1:
                _set_blas_threads(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users = max(0, _users - 1)     # it is 0 in a process that was forked meanwhile
            if _users == 0:
                if _usual > 1:
                    _set_blas_threads(_usual)
                _usual = 0


def _set_blas_threads(number: int) -> None:
    for blas in _blas():
        # threadpoolctl ignores calls from all threads but one. Here, `_lock` and `_users` keep them in order.
        getattr(blas, "_real_set_num_threads", blas.set_num_threads)(number)


def _reset_after_fork() -> None:
    """Make a forked process independent of what the threads of its parent were doing."""
    global _lock, _helpers, _users, _usual
    _lock, _helpers = threading.Lock(), None    # the threads do not exist here
    if _users and _usual > 1:   # the thread that would end the limit of BLAS may not exist here
        _set_blas_threads(_usual)
    _users = _usual = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
