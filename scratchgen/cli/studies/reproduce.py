"""`scratchgen study reproduce`: reproduce published figures."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from scratchgen.cli.common import check_writable, row, whole_number
from scratchgen.cli.workers import add_worker_arguments, workers_of

HELP = "reproduce a published figure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="one or more names that --list shows")
    parser.add_argument("--list", action="store_true", help="list the figures")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="continue an interrupted run")
    existing.add_argument("--overwrite", action="store_true", help="replace the run that is in runs/")
    parser.add_argument(
        "--epochs", type=whole_number(1), metavar="N", help="length of training (default: the recipe's)"
    )
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the tables of README.md and docs/results.md from results/",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Reproduce figures and write their results into results/, list the figures, or write the tables."""
    from scratchgen.studies.reproduce import recipe, record

    if args.list:
        names = recipe.recipe_names()
        width = max(map(len, names)) + 2
        for name in names:
            print(row(name, recipe.recipe(name).title, width))
        return 0
    if args.write_chapter:
        record.write_tables()
        print(f"{record.README} and {record.CHAPTER} have the tables of results/")
        return 0
    if not args.names:
        raise ValueError("study reproduce expected a NAME, --list or --write-chapter")
    for name in args.names:
        recipe.recipe(name)
    check_writable(Path("results"))
    tasks = {
        name: partial(
            recipe.reproduce, name, epochs=args.epochs, resume=args.resume, overwrite=args.overwrite
        )
        for name in args.names
    }
    for _, (result, path) in workers_of(args).run(tasks):
        print(result.summary())
        print(f"saved in {path}; `{record.COMMAND}` puts it into the tables")
    return 0
