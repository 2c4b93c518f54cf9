"""One pool of threads, among which work on large arrays is divided.

The matrix products of dense layers are passed to BLAS, which has its own threads, unless they have thousands
of rows. Convolutions and attention consist of many small copies and products, and a step of Adam or an
activation has no product at all. For these, each thread of this pool gets a part of the examples or entries,
and BLAS uses one thread meanwhile. The two pools never compute at the same time, because they would compete
for the same cores (with Numba's pool this was 14 times slower).

The number of threads is that of BLAS, so OPENBLAS_NUM_THREADS=1 makes the whole library serial. It is also
serial if threadpoolctl does not know the BLAS library, as for NumPy's macOS wheels, which use Accelerate.
Sums over examples, such as the dW of a convolution, depend on the number of threads, up to rounding.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")

# The least work for one thread, about 50 µs: multiplications, or entries of an array.
PRODUCTS, ENTRIES = 4 << 20, 1 << 18

_sharing = threading.Lock()
_usual = 0      # the usual number of BLAS threads while work is shared and BLAS is limited to one; else 0


def share(work: Callable[[slice], T], n: int, least: int = 1) -> list[T]:
    """Divide range(n) into consecutive parts; return [work(part), …], computed with one thread per part.

    work : function of a slice; the parts must be independent of each other
    least : the smallest size of a part (starting a thread takes 20 to 50 µs); see `enough`

    If there is too little work for two threads, if BLAS has only one thread, or if the pool is busy,
    the result is [work(slice(0, n))], computed in the calling thread. If a part fails, its exception is
    raised after all parts have finished.
    """
    global _usual
    parts = n // least
    if parts > 1:
        usual = _blas_threads()
        parts = min(parts, usual, _processors())    # as many threads as BLAS has, if there are processors
    lock = _sharing
    if parts < 2 or not lock.acquire(blocking=False):
        return [work(slice(0, n))]
    try:
        _usual = usual
        with _blas().limit(limits=1):
            if _blas_threads() > 1:     # another thread controls the threads of BLAS (see threadpoolctl)
                return [work(slice(0, n))]
            return _in_parallel(work, [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)])
    finally:
        _usual = 0
        lock.release()


def _in_parallel(work: Callable[[slice], T], parts: list[slice]) -> list[T]:
    futures: list[Future[T]] = []
    try:
        for part in parts[1:]:
            try:    # in a copy of the context, which holds NumPy's errstate
                futures.append(_pool().submit(copy_context().run, work, part))
            except RuntimeError:        # Python is shutting down, or cannot start a thread
                break
        own = [work(part) for part in (parts[0], *parts[1 + len(futures) :])]
    finally:
        wait(futures)
    return [own[0], *(future.result() for future in futures), *own[1:]]


def enough(each: int, work: int) -> int:
    """Return how many examples make up `work` entries or products, if each example has `each`."""
    return -(-work // max(1, each))


def _blas_threads() -> int:
    return min((blas.get_num_threads() for blas in _blas().lib_controllers), default=1)


@functools.cache
def _processors() -> int:
    return os.cpu_count() or 1


@functools.cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_processors(), "scratchgen")


def _reset_after_fork() -> None:
    """Make a forked process independent of what the threads of its parent were doing."""
    global _sharing, _usual
    _pool.cache_clear()     # a forked process inherits the pool, but not its threads
    _sharing = threading.Lock()
    if _usual:              # the thread that would end the limit of BLAS does not exist here
        for blas in _blas().lib_controllers:
            blas.set_num_threads(_usual)
        _usual = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
