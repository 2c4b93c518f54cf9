"""`scratchgen zoo`: wrong forward and backward passes, their symptoms, and the checks that catch them."""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

from scratchgen.cli.common import check_output, columns, paragraph, row

HELP = "show wrong code that people really write, its symptom, and the check that catches it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the entry to explain (default: list all)")
    parser.add_argument(
        "--run", action="store_true", dest="measure",   # args.run is the function of the command
        help="run the check and the symptom on the right and on the wrong code",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE",
        help="run, and plot right beside wrong (.png, .svg, .pdf)",
    )
    parser.add_argument("--markdown", action="store_true", help="list the entries as a Markdown table")


def main(args: argparse.Namespace) -> int:
    """List the entries, or explain one; return 1 if a run contradicts the entry."""
    if args.name is None:
        if args.measure or args.plot is not None:
            raise ValueError("zoo expected a NAME with --run or --plot; `scratchgen zoo` lists the names")
        list_entries(args.markdown)
        return 0
    if args.markdown:
        raise ValueError(f"zoo expected no NAME with --markdown, got {args.name}")
    if args.plot is not None:
        check_output(args.plot)
    from scratchgen import plots, zoo
    from scratchgen.zoo import explain

    entry = zoo.find(args.name)
    if args.plot is not None:
        plots.picture_format(args.plot)
    print(*explain.explain(entry, lambda text: paragraph(text, "  ")), sep="\n")
    if not args.measure and args.plot is None:
        return 0
    outcomes = {"right": entry.outcome(entry.Right), "wrong": entry.outcome(entry.Wrong)}
    lines, holds = explain.measured(entry, outcomes, columns())
    print("", *lines, sep="\n")
    if args.plot is not None:
        print(f"right beside wrong: {plots.save(explain.figure(entry, outcomes), args.plot)}")
    return 0 if holds else 1


def list_entries(as_markdown: bool) -> None:
    """Print one row for each entry, by family, or a Markdown table."""
    from scratchgen import zoo
    from scratchgen.zoo.explain import markdown

    found = zoo.entries()
    if as_markdown:
        print(markdown(found), end="")
        return
    width = max(len(entry.name) for entry in found) + 4
    for family, group in groupby(found, key=lambda entry: entry.family):
        print(f"{family}:")
        for entry in group:
            print(row(f"  {entry.name}", entry.title, width))
    print(paragraph(f"{len(found)} entries; `scratchgen zoo NAME` explains one, with --run it is measured."))
