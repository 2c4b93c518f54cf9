"""The ranks of a data-parallel run: processes that train copies of one model, each on a part of every batch.

    (DP.1)  grad = Σ_r share_r · grad_r,   share_r = n_r / N        n_r of the N examples are on rank r

Each rank computes the gradient of the mean loss of its part. Their weighted sum is the gradient of the mean
loss of the batch, so all ranks make the same update. Derived in docs/data-parallel.md.

    data_parallel(ranks)    a context manager: training runs inside the block are divided over the ranks
    run_ranks()             the ranks of the runs in this context; ONE outside such a block
    step_ranks()            the same during a training step; ONE between two steps
    in_threads(n, work)     n ranks in the threads of this process, for tests and to find mistakes
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


class Ranks:
    """One rank of several, as this rank sees them. The base class is that of a run without other ranks.

    rank, size : the number of this rank, from 0, and the number of ranks
    share : n_r / N, after `part` has divided a batch
    rows  : (n_r, N, the first of this rank's examples); None before a batch is divided
    """

    rank, size = 0, 1
    share = 1.0
    rows: tuple[int, int, int] | None = None

    def part(self, batch: Any) -> Any:
        """This rank's part of a batch, a tuple or a dict of arrays whose first axis counts the examples.

        An array of another length, and anything but an array, belongs to all examples and is returned whole.
        Raises ValueError if there are fewer examples than ranks.
        """
        if self.size == 1:
            return batch
        n = len(next(iter(batch.values())) if isinstance(batch, Mapping) else batch[0])
        if n < self.size:
            raise ValueError(f"expected one example or more for each of {self.size} ranks, got {n} in all")
        start, stop = (n * r // self.size for r in (self.rank, self.rank + 1))
        self.rows, self.share = (stop - start, n, start), (stop - start) / n

        def mine(value: Any) -> Any:
            own = isinstance(value, np.ndarray) and value.shape[:1] == (n,)
            return np.ascontiguousarray(value[start:stop]) if own else value

        if isinstance(batch, Mapping):
            return {name: mine(value) for name, value in batch.items()}
        return tuple(map(mine, batch))

    def all_reduce(self, grad: np.ndarray) -> None:
        """Replace the gradient of this rank's part by that of the batch, (DP.1), in place."""
        if self.size > 1:
            grad *= grad.dtype.type(self.share)                 # (DP.1)
            self.sum(grad)

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean of each number over the examples of the batch."""
        if self.size == 1:
            return dict(values)
        total = np.array([*values.values()], np.float64) * self.share
        self.sum(total)
        return dict(zip(values, total.tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        if self.size == 1:
            return flag
        total = np.array([flag], np.float64)
        self.sum(total)
        return bool(total[0])

    def first(self, value: float) -> float:
        """The number that rank 0 has."""
        if self.size == 1:
            return value
        found = np.array([value], np.float64)
        self.copy_first(found)
        return float(found[0])

    def total(self, n: int) -> int:
        """The number of values on all ranks, if there are n on this one."""
        return round(n / self.share)

    def sum(self, array: np.ndarray) -> None:
        """Replace an array by its sum over the ranks, in place. The terms are added in the order of ranks."""
        parts = self.gather(array)
        array[...] = parts[0]
        for part in parts[1:]:
            array += part

    def copy_first(self, array: np.ndarray) -> None:
        """Replace an array by that of rank 0, in place."""
        array[...] = self.gather(array)[0]

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays of all ranks, of the same shape, in the order of ranks."""
        return [array]


ONE = Ranks()
_run: ContextVar[Ranks] = ContextVar("run_ranks", default=ONE)
_step: ContextVar[Ranks] = ContextVar("step_ranks", default=ONE)


def run_ranks() -> Ranks:
    """The ranks of the training runs in this context."""
    return _run.get()


def step_ranks() -> Ranks:
    """The ranks that work on the current training step; ONE outside a step."""
    return _step.get()


@contextmanager
def data_parallel(ranks: Ranks) -> Iterator[Ranks]:
    """A context manager: training runs inside the block are divided over the ranks."""
    token = _run.set(ranks)
    try:
        yield ranks
    finally:
        _run.reset(token)


@contextmanager
def one_step(ranks: Ranks) -> Iterator[None]:
    """A context manager: a training step inside the block works on a part of its batch."""
    token = _step.set(ranks)
    ranks.rows, ranks.share = None, 1 / ranks.size
    try:
        yield
    finally:
        _step.reset(token)


class PartOfGenerator(np.random.Generator):
    """A generator with the same stream on all ranks, from which each rank takes what belongs to its examples.

    During a step, a draw whose first axis has as many rows as this rank has examples is made for all N
    examples of the batch, and the rows of this rank are returned. Every other draw is the same on all ranks.
    So the numbers that an example gets do not depend on the number of ranks.
    """

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return self._part(size, lambda size: super(PartOfGenerator, self).random(size, dtype))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return self._part(size, lambda size: super(PartOfGenerator, self).standard_normal(size, dtype))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        return self._part(size, lambda size: super(PartOfGenerator, self).normal(loc, scale, size))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return self._part(size, lambda size: super(PartOfGenerator, self).uniform(low, high, size))

    def integers(self, low: Any, high: Any = None, size: Any = None, *more: Any, **options: Any) -> Any:
        draw = super().integers
        return self._part(size, lambda size: draw(low, high, size, *more, **options))

    def _part(self, size: Any, draw: Callable[[Any], Any]) -> Any:
        rows = step_ranks().rows
        shape = (size,) if isinstance(size, int | np.integer) else tuple(size or ())
        if rows is None or shape[:1] != rows[:1]:
            return draw(size)
        n, total, start = rows
        return np.ascontiguousarray(draw((total, *shape[1:]))[start : start + n])


class ThreadRanks(Ranks):
    """A rank that is a thread of this process; see in_threads."""

    def __init__(self, rank: int, shared: list[Any], barrier: threading.Barrier):
        self.rank, self.size, self._shared, self._barrier = rank, len(shared), shared, barrier

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        self._shared[self.rank] = array.copy()
        self._barrier.wait()
        found = list(self._shared)
        self._barrier.wait()        # the next call may replace them
        return found


def in_threads(n: int, work: Callable[[], T]) -> list[T]:
    """Run `work` on n ranks, each in a thread of this process; return their results in the order of ranks.

    work : builds its own model and trains it, as each process of an MPI run does. The result has the same
        bits as an MPI run with as many ranks that adds in the order of ranks

    Raises the exception of the lowest rank that failed.
    """
    barrier, shared = threading.Barrier(n), [None] * n
    failed: dict[int, BaseException] = {}

    def of_rank(rank: int) -> T:
        with data_parallel(ThreadRanks(rank, shared, barrier)):
            try:
                return work()
            except BaseException as error:
                if not isinstance(error, threading.BrokenBarrierError):     # of a rank that only waited
                    failed[rank] = error
                barrier.abort()     # the other ranks wait for this one
                raise

    with ThreadPoolExecutor(n) as pool:
        futures = [pool.submit(copy_context().run, of_rank, rank) for rank in range(n)]
    if failed:
        raise failed[min(failed)]
    return [future.result() for future in futures]
