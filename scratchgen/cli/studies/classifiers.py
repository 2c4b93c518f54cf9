"""`scratchgen study classifiers`: test errors and times."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import check_writable
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.studies import Outcome
from scratchgen.cli.workers import add_worker_arguments, workers_of

HELP = "measure test errors and times of the classifiers on all of MNIST"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("--list", action="store_true", help="list the classifiers")
    parser.add_argument("--data", default="", metavar="PATH", help=OTHER_IMAGES)
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the saved results into docs/discriminative.md",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> Outcome:
    """Measure the classifiers and write results/, list them, or write the chapter."""
    from scratchgen.studies import classifiers

    if args.list:
        titles = [entry.title for entry in classifiers.entries()]
        return Outcome({"classifiers": titles}, titles)
    if args.write_chapter:
        classifiers.write_chapter()
        values = {"chapter": classifiers.CHAPTER, "results": classifiers.RESULTS}
        return Outcome(values, [f"{classifiers.CHAPTER} has the table of {classifiers.RESULTS}"])
    expect_readable(args.data or None)
    check_writable(classifiers.RESULTS.parent)
    workers = workers_of(args)
    rows, path = classifiers.run(data=args.data, workers=workers), classifiers.file(args.data)
    hint = "" if args.data else f"; `{classifiers.COMMAND}` puts it into the chapter"
    return Outcome({"classifiers": rows, "file": path}, [f"saved in {path}{hint}"])
