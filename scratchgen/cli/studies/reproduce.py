"""`scratchgen study reproduce`: reproduce published figures."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path

from scratchgen.cli.common import check_writable, row, whole_number
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.studies import Outcome
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
    parser.add_argument("--data", default="", metavar="PATH", help=OTHER_IMAGES)
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the tables of README.md and docs/results.md from results/",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> Outcome:
    """Reproduce figures and write their results into results/, list the figures, or write the tables."""
    from scratchgen.studies.reproduce import recipe, record

    if args.list:
        titles = {name: recipe.recipe(name).title for name in recipe.recipe_names()}
        width = max(map(len, titles)) + 2
        return Outcome({"figures": titles}, [row(name, title, width) for name, title in titles.items()])
    if args.write_chapter:
        record.write_tables()
        values = {"chapters": [record.README, record.CHAPTER], "results": "results"}
        return Outcome(values, [f"{record.README} and {record.CHAPTER} have the tables of results/"])
    if not args.names:
        raise ValueError("study reproduce expected a NAME, --list or --write-chapter")
    expect_readable(args.data or None)
    for name in args.names:
        recipe.recipe(name)
    check_writable(Path("results"))
    how = {"epochs": args.epochs, "resume": args.resume, "overwrite": args.overwrite, "data": args.data}
    tasks = {name: partial(recipe.reproduce, name, **how) for name in args.names}
    found, lines = {}, []
    hint = "" if args.data or args.epochs else f"; `{record.COMMAND}` puts it into the tables"
    for name, (result, path) in workers_of(args).run(tasks):
        found[name] = {**asdict(result), "file": path}
        lines += [result.summary(), f"saved in {path}{hint}"]
    return Outcome({"figures": found} if len(found) > 1 else found[name], lines)
