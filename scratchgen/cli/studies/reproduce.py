"""`scratchgen study reproduce`: reproduce published figures."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from scratchgen.cli.common import check_writable, row, whole_number
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.studies import Outcome

HELP = "reproduce a published figure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a name that --list shows")
    parser.add_argument("--list", action="store_true", help="list the figures")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="continue an interrupted run")
    existing.add_argument("--overwrite", action="store_true", help="replace the run that is in runs/")
    parser.add_argument(
        "--epochs", type=whole_number(1), metavar="N", help="length of training (default: the recipe's)"
    )
    parser.add_argument("--data", default="", metavar="PATH", help=OTHER_IMAGES)
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the tables of README.md and docs/results.md from results/",
    )


def main(args: argparse.Namespace) -> Outcome:
    """Reproduce one figure and write its result into results/, list the figures, or write the tables."""
    from scratchgen.studies.reproduce import recipe, record

    if args.list:
        titles = {name: recipe.recipe(name).title for name in recipe.recipe_names()}
        width = max(map(len, titles)) + 2
        return Outcome({"figures": titles}, [row(name, title, width) for name, title in titles.items()])
    if args.write_chapter:
        record.write_tables()
        values = {"chapters": [record.README, record.CHAPTER], "results": "results"}
        return Outcome(values, [f"{record.README} and {record.CHAPTER} have the tables of results/"])
    if args.name is None:
        raise ValueError("study reproduce expected a NAME, --list or --write-chapter")
    expect_readable(args.data or None)
    check_writable(Path("results"))
    result, path = recipe.reproduce(
        args.name, epochs=args.epochs, resume=args.resume, overwrite=args.overwrite, data=args.data
    )
    hint = "" if args.data or args.epochs else f"; `{record.COMMAND}` puts it into the tables"
    return Outcome({**asdict(result), "file": path}, [result.summary(), f"saved in {path}{hint}"])
