"""`scratchgen study compare`: all families with the same training time."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable, row, seconds, whole_number
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.studies import Outcome
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


def main(args: argparse.Namespace) -> Outcome:
    """Compare the models and write results/ and gallery/, list the models, or write the chapter."""
    from scratchgen.studies.compare import study

    if args.list:
        known = {contender.name: contender.space.name for contender in study.contenders()}
        return Outcome({"models": known}, [row(name, space, 40) for name, space in known.items()])
    if args.write_chapter:
        saved = RESULTS / "compare.json"
        study.write_chapter(saved, PICTURES / "compare.png")
        values = {"chapter": study.CHAPTER, "results": saved}
        return Outcome(values, [f"{study.CHAPTER} has the tables of {saved}"])
    expect_readable(args.data or None)
    for folder in (RESULTS, PICTURES):
        check_writable(folder)
    workers, spent = workers_of(args), args.seconds or study.SECONDS
    comparison = study.compare(
        spent, args.full, RESULTS, PICTURES, data=args.data, epochs=args.epochs, workers=workers
    )
    name = study.file_name(spent, args.full, args.data, args.epochs)
    file, figure = RESULTS / f"{name}.json", PICTURES / f"{name}.png"
    lines = ["\n\n".join(["", *comparison.tables().values(), "", ""]) + f"saved in {file} and {figure}"]
    return Outcome({**comparison.as_json(), "file": file, "figure": figure}, lines)
