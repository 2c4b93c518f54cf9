"""`scratchgen study gans`: generators that are told what to draw, and the objectives of GANs."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import check_writable
from scratchgen.cli.workers import add_worker_arguments, workers_of

HELP = "measure ConditionalGAN, InfoGAN and the objectives of GANs on all of MNIST"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("table", nargs="*", metavar="TABLE", help="one that --list names; all by default")
    parser.add_argument("--list", action="store_true", help="list the tables and their runs")
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the saved results into docs/conditional-gan.md",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Measure the tables and write results/, list them, or write the chapter."""
    from scratchgen.studies import gans

    for name in args.table:
        if name not in gans.TABLES:
            raise ValueError(f"study gans expected TABLE to be one of {', '.join(gans.TABLES)}, got {name!r}")
    if args.list:
        for name, table in gans.TABLES.items():
            print(f"{name}: {len(table.cells)} runs of {table.epochs} epochs")
    elif args.write_chapter:
        gans.write_chapter()
        print(f"{gans.CHAPTER} has the tables of {gans.RESULTS}")
    else:
        check_writable(gans.RESULTS)
        workers = workers_of(args)
        for name in args.table or gans.TABLES:
            gans.run(name, workers=workers)
            print(f"saved in {gans.file(name)}; `{gans.COMMAND}` puts it into the chapter")
    return 0
