"""Options of the commands that run a study on several cores or machines."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scratchgen.studies.workers import Workers


def add_worker_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options --jobs, --backend and --address."""
    group = parser.add_argument_group("workers")
    group.add_argument(
        "--jobs", type=number_of_jobs, default=1, metavar="N",
        help="number of processes; -1 for one per core (default: 1)",
    )
    group.add_argument(
        "--backend", default="", metavar="NAME",
        help="dask, or another backend of joblib (default: processes of this machine)",
    )
    group.add_argument("--address", default="", metavar="HOST:PORT", help="the scheduler of a dask cluster")


def number_of_jobs(text: str) -> int:
    """The type of an argument that is a whole number other than 0."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number == 0:
        expected = "expected a number of processes, or -1 for one per core"
        raise argparse.ArgumentTypeError(f"{expected}, got {text!r}")
    return number


def workers_of(args: argparse.Namespace) -> Workers:
    """The workers that the options describe. Raises ValueError before any work is done."""
    from scratchgen.studies.workers import Workers

    try:
        return Workers(args.jobs, args.backend, args.address)
    except ImportError as error:
        raise ValueError(str(error)) from error
