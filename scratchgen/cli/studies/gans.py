"""`scratchgen study gans`: generators that are told what to draw, and the objectives of GANs."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import check_writable
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.studies import Outcome
from scratchgen.cli.workers import add_worker_arguments, workers_of

HELP = "measure ConditionalGAN, InfoGAN and the objectives of GANs on all of MNIST"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("table", nargs="*", metavar="TABLE", help="one that --list names; all by default")
    parser.add_argument("--list", action="store_true", help="list the tables and their runs")
    parser.add_argument("--data", default="", metavar="PATH", help=OTHER_IMAGES)
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the saved results into docs/conditional-gan.md",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> Outcome:
    """Measure the tables and write results/, list them, or write the chapter."""
    from scratchgen.studies import gans

    for name in args.table:
        if name not in gans.TABLES:
            raise ValueError(f"study gans expected TABLE to be one of {', '.join(gans.TABLES)}, got {name!r}")
    if args.list:
        known = {name: {"runs": len(t.cells), "epochs": t.epochs} for name, t in gans.TABLES.items()}
        lines = [f"{name}: {t['runs']} runs of {t['epochs']} epochs" for name, t in known.items()]
        return Outcome({"tables": known}, lines)
    if args.write_chapter:
        gans.write_chapter()
        values = {"chapter": gans.CHAPTER, "results": gans.RESULTS}
        return Outcome(values, [f"{gans.CHAPTER} has the tables of {gans.RESULTS}"])
    expect_readable(args.data or None)
    check_writable(gans.RESULTS)
    workers, found = workers_of(args), {}
    for name in args.table or gans.TABLES:
        measured = gans.run(name, data=args.data, workers=workers)
        found[name] = {**measured, "file": gans.file(name, data=args.data)}
    hint = "" if args.data else f"; `{gans.COMMAND}` puts it into the chapter"
    return Outcome({"tables": found}, [f"saved in {table['file']}{hint}" for table in found.values()])
