"""`scratchgen study classifiers`: test errors and times."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import check_writable
from scratchgen.cli.workers import add_worker_arguments, workers_of

HELP = "measure test errors and times of the classifiers on all of MNIST"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("--list", action="store_true", help="list the classifiers")
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the saved results into docs/discriminative.md",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Measure the classifiers and write results/, list them, or write the chapter."""
    from scratchgen.studies import classifiers

    if args.list:
        print(*(entry.title for entry in classifiers.entries()), sep="\n")
    elif args.write_chapter:
        classifiers.write_chapter()
        print(f"{classifiers.CHAPTER} has the table of {classifiers.RESULTS}")
    else:
        check_writable(classifiers.RESULTS.parent)
        classifiers.run(workers=workers_of(args))
        print(f"saved in {classifiers.RESULTS}; `{classifiers.COMMAND}` puts it into the chapter")
    return 0
