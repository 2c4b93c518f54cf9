"""One pool of threads, for work on arrays that is long enough to be shared.

The products of dense layers go to BLAS whole, unless they have thousands of rows, and BLAS has threads of
its own. A convolution is a long row of small copies and products, as is attention, and Adam's step or an
activation has no product at all: there each thread gets a share of the examples, or of the entries, and BLAS
keeps to one thread meanwhile. Both never compute at once: two pools on the same cores hold each other up (14
times slower with Numba's).

There are as many threads as BLAS is told to have: OPENBLAS_NUM_THREADS=1 makes the whole library serial.
Where threadpoolctl finds no BLAS that it knows, as in NumPy's wheels for macOS, which call Accelerate, work
stays serial too. What is summed over examples, as a convolution's dW, depends on the number of threads, to
rounding.
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

# What a thread is to get at least, some 50 µs of work: multiplications, or entries of an array passed over.
PRODUCTS, ENTRIES = 4 << 20, 1 << 18

_sharing = threading.Lock()


def share(work: Callable[[slice], T], n: int, least: int = 1) -> list[T]:
    """[work(part), …] for consecutive parts of range(n), all at once, each in a thread of its own.

    work : function of a slice; it may not depend on how the others fare
    least : the smallest part that is worth a thread (handing one over takes 20 to 50 µs); see `enough`

    Where there is too little for two threads, one BLAS thread only, or the pool is taken, by work that was
    itself shared or by another thread of the caller's, it is [work(slice(0, n))]. An error in one part comes
    back when all of them have ended.
    """
    parts = n // least
    if parts > 1:
        parts = min(parts, count())
    lock = _sharing
    if parts < 2 or not lock.acquire(blocking=False):
        return [work(slice(0, n))]
    try:
        with _blas().limit(limits=1):
            if _blas_threads() > 1:     # another thread of the caller's has the say over BLAS: threadpoolctl
                return [work(slice(0, n))]
            return _at_once(work, [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)])
    finally:
        lock.release()


def _at_once(work: Callable[[slice], T], parts: list[slice]) -> list[T]:
    futures: list[Future[T]] = []
    try:
        for part in parts[1:]:
            try:    # in a context of its own: NumPy keeps errstate there
                futures.append(_pool().submit(copy_context().run, work, part))
            except RuntimeError:        # Python is ending, or can't start a thread
                break
        own = [work(part) for part in (parts[0], *parts[1 + len(futures) :])]
    finally:
        wait(futures)
    return [own[0], *(future.result() for future in futures), *own[1:]]


def enough(each: int, work: int) -> int:
    """How many examples have `work` entries, or products, together, where one has `each`."""
    return -(-work // max(1, each))


def count() -> int:
    """How many threads there are to share work: those of BLAS, and no more than processors."""
    return min(_blas_threads(), _processors())


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


def _forget() -> None:
    global _sharing
    _pool.cache_clear()     # a forked child has the pool, but none of its threads
    _sharing = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
