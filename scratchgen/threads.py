"""One pool of threads, for work on arrays that is long enough to be shared.

The products of dense layers go to BLAS whole, which has threads of its own. A convolution is a long row of
small copies and products, and an optimiser's step or an activation has no product at all: there each thread
gets a share of the examples, or of the entries, and BLAS keeps to one thread meanwhile. Both never compute at
once, since two pools on the same cores hold each other up (14 times slower, measured with Numba's).

There are as many threads as BLAS is told to have: OPENBLAS_NUM_THREADS=1 makes the whole library serial.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
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
    if parts < 2 or not _sharing.acquire(blocking=False):
        return [work(slice(0, n))]
    try:
        first, *others = [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)]
        with _one_blas_thread():
            # a context of its own: NumPy keeps errstate there
            futures = [_pool().submit(copy_context().run, work, part) for part in others]
            try:
                result = work(first)
            finally:
                wait(futures)
            return [result, *(future.result() for future in futures)]
    finally:
        _sharing.release()


def enough(each: int, work: int) -> int:
    """How many examples have `work` entries, or products, together, where one has `each`."""
    return -(-work // max(1, each))


def count() -> int:
    """How many threads there are to share work: those of BLAS, and no more than processors."""
    return min(max((blas.get_num_threads() for blas in _blas()), default=1), _processors())


@functools.cache
def _processors() -> int:
    return os.cpu_count() or 1


@functools.cache
def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    before = [(blas, blas.get_num_threads()) for blas in _blas()]
    try:
        for blas, _ in before:
            blas.set_num_threads(1)
        yield
    finally:
        for blas, threads in before:
            blas.set_num_threads(threads)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_processors(), "scratchgen")


def _forget() -> None:
    global _sharing
    _pool.cache_clear()     # a forked child has the pool, but none of its threads
    _sharing = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
