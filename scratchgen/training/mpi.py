"""Data-parallel training on the processes that mpirun starts.

    mpirun -n 4 python train.py

    with mpi.data_parallel():               # in train.py, the same on all ranks
        model.fit(X, epochs=20, rng=0)

Every rank builds the same model, reads the same data and calls fit with the same seed. In each step, a rank
computes the gradient of its part of the batch, and the gradients are added over the ranks, (DP.1). See
docs/data-parallel.md.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scratchgen.runtime import ranks as all_ranks
from scratchgen.runtime.ranks import Ranks

INSTALL = 'pip install "scratchgen[mpi]"'


class MPIRanks(Ranks):
    """The ranks of an MPI communicator.

    ordered : whether sums are added in the order of ranks. The result then does not depend on the MPI library
        and the network, but every rank receives the gradients of all ranks instead of one sum
    """

    def __init__(self, comm: Any, ordered: bool = False):
        self.comm, self.rank, self.size, self.ordered = comm, comm.Get_rank(), comm.Get_size(), ordered

    def sum(self, array: np.ndarray) -> None:
        if self.ordered:
            super().sum(array)
        else:
            self.comm.Allreduce(_in_place(), array)

    def copy_first(self, array: np.ndarray) -> None:
        self.comm.Bcast(array, root=0)

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        found = np.empty((self.size, *array.shape), array.dtype)
        self.comm.Allgather(np.ascontiguousarray(array), found)
        return list(found)


@contextmanager
def data_parallel(comm: Any = None, *, ordered: bool = False, debug: bool = False) -> Iterator[Ranks]:
    """A context manager: training runs inside the block are divided over the ranks of an MPI communicator.

    comm : an mpi4py communicator, by default that of all processes that mpirun started
    ordered : add in the order of ranks, so that the weights have the same bits with every MPI library
    debug : print the traceback of an error

    A rank that raises an exception prints it and ends all ranks, which would otherwise wait for it forever.
    Each rank gets an equal share of the cores of its machine. Raises ImportError without mpi4py.
    """
    from threadpoolctl import threadpool_limits

    comm = world() if comm is None else comm
    ranks = MPIRanks(comm, ordered)
    with threadpool_limits(_threads(comm), user_api="blas"):
        try:
            with all_ranks.data_parallel(ranks):
                yield ranks
        except Exception as error:
            if ranks.size == 1:
                raise
            if debug:
                traceback.print_exc()
            what = " ".join(str(error).split()) or type(error).__name__
            sys.stderr.write(f"scratchgen: error: rank {ranks.rank} of {ranks.size}: {what}; all ranks end\n")
            sys.stderr.flush()
            comm.Abort(1)


def world() -> Any:
    """The communicator of all processes that mpirun started. Raises ImportError without mpi4py or an MPI."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(f"training on several ranks needs mpi4py: {INSTALL} ({error})") from error
    except RuntimeError as error:       # mpi4py is installed, but finds no MPI library
        needed = "training on several ranks needs an MPI library, such as Open MPI"
        raise ImportError(f"{needed} ({error})") from error
    return MPI.COMM_WORLD


def _in_place() -> Any:
    from mpi4py import MPI

    return MPI.IN_PLACE


def _threads(comm: Any) -> int:
    """The threads of this rank: the cores that the launcher gave it, or its share of those of the machine."""
    from mpi4py import MPI

    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    together = comm.Split_type(MPI.COMM_TYPE_SHARED)
    ranks = together.Get_size()
    together.Free()
    usual = max(1, allowed if allowed < cores else cores // ranks)
    return min(usual, _limit())


def _limit() -> int:
    """The number of threads that the user has set for BLAS, or a large number."""
    from threadpoolctl import threadpool_info

    blas = (found for found in threadpool_info() if found["user_api"] == "blas")
    return min((found["num_threads"] for found in blas), default=1)
