"""Run a command on all ranks that mpirun started."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable


def add_rank_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options --mpi and --ordered."""
    group = parser.add_argument_group("ranks, for `mpirun -n N scratchgen train … --mpi`")
    group.add_argument("--mpi", action="store_true", help="divide every batch over the processes of mpirun")
    group.add_argument(
        "--ordered", action="store_true",
        help="add gradients in the order of ranks, for the same bits with every MPI library",
    )


def on_all_ranks(args: argparse.Namespace, work: Callable[[argparse.Namespace], int]) -> int:
    """Run a command on all ranks; only rank 0 prints its output."""
    from scratchgen.training import mpi

    try:
        mpi.world()
    except ImportError as error:
        raise ValueError(str(error)) from error
    with mpi.data_parallel(ordered=args.ordered, debug=getattr(args, "debug", False)) as ranks:
        shown = contextlib.nullcontext() if ranks.rank == 0 else contextlib.redirect_stdout(io.StringIO())
        with shown:
            return work(args)
    return 1    # mypy: a context manager may swallow an exception; this one ends the process instead
