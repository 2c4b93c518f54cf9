"""`scratchgen study compare`: all families with the same training time."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable, row, seconds, whole_number
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.workers import add_worker_arguments, workers_of

HELP = "compare the families of models after the same training time"
RESULTS, PICTURES = Path("results"), Path("gallery")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("--list", action="store_true", help="list the models")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--seconds", type=seconds, metavar="S", help="CPU seconds of training per model (default: 60)"
    )
    length.add_argument(
        "--epochs", type=whole_number(1), metavar="N",
        help="epochs of training per model, so that the results can be repeated exactly",
    )
    parser.add_argument("--full", action="store_true", help="all of MNIST (default: the embedded part)")
    parser.add_argument("--data", default="", metavar="PATH", help=OTHER_IMAGES)
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the saved results and the figure into docs/comparison.md",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Compare the models and write results/ and gallery/, list the models, or write the chapter."""
    from scratchgen.studies.compare import study

    if args.list:
        for contender in study.contenders():
            print(row(contender.name, contender.space.name, 40))
        return 0
    if args.write_chapter:
        study.write_chapter(RESULTS / "compare.json", PICTURES / "compare.png")
        print(f"{study.CHAPTER} has the tables of {RESULTS / 'compare.json'}")
        return 0
    expect_readable(args.data or None)
    for folder in (RESULTS, PICTURES):
        check_writable(folder)
    workers = workers_of(args)
    spent = args.seconds or study.SECONDS
    comparison = study.compare(
        spent, args.full, RESULTS, PICTURES, data=args.data, epochs=args.epochs, workers=workers
    )
    print("", *comparison.tables().values(), "", sep="\n\n")
    name = study.file_name(spent, args.full, args.data, args.epochs)
    print(f"saved in {RESULTS / name}.json and {PICTURES / name}.png")
    return 0
