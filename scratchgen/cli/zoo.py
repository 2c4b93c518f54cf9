"""`scratchgen zoo`: wrong forward and backward passes, their symptoms, and the checks that catch them."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import groupby
from pathlib import Path

from scratchgen.cli.common import check_output, columns, paragraph, row

HELP = "show wrong code that people really write, its symptom, and the check that catches it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the entry to explain (default: list all)")
    parser.add_argument("--list", action="store_true", help="list the entries by family, as without NAME")
    parser.add_argument(
        "--run", action="store_true", dest="measure",   # args.run is the function of the command
        help="run the check and the symptom on the right and on the wrong code",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE",
        help="run, and plot right beside wrong (.png, .svg, .pdf)",
    )
    parser.add_argument("--json", action="store_true", help="print the list or the entry as JSON")
    parser.add_argument("--markdown", action="store_true", help="list the entries as Markdown tables")


def main(args: argparse.Namespace) -> int:
    """List the entries, or explain one; return 1 if a run contradicts the entry."""
    if args.json and args.markdown:
        raise ValueError("zoo expected one of --json and --markdown, got both")
    if args.name is not None:
        if args.list or args.markdown:
            option = "--list" if args.list else "--markdown"
            raise ValueError(f"zoo expected no NAME with {option}, got {args.name!r}")
        return show(args)
    if args.measure or args.plot is not None:
        raise ValueError("zoo expected a NAME with --run or --plot; `scratchgen zoo` lists the names")
    list_entries(args)
    return 0


def show(args: argparse.Namespace) -> int:
    """Explain one entry and, if asked, run and plot it."""
    if args.plot is not None:
        check_output(args.plot)
    from scratchgen import plots, zoo
    from scratchgen.zoo import explain

    entry = zoo.find(args.name)
    if args.plot is not None:
        plots.picture_format(args.plot)
    if not args.json:
        print(*explain.explain(entry, lambda text: paragraph(text, "  ")), sep="\n", flush=True)
    outcomes = None
    if args.measure or args.plot is not None:
        outcomes = {"right": entry.outcome(entry.Right), "wrong": entry.outcome(entry.Wrong)}
    if args.json:
        print(json.dumps(explain.as_json(entry, outcomes), indent=2))
    elif outcomes is not None:
        print("", *explain.measured(entry, outcomes, columns()), sep="\n")
    if outcomes is None:
        return 0
    if args.plot is not None:
        args.plot.parent.mkdir(parents=True, exist_ok=True)
        path = plots.save(explain.figure(entry, outcomes), args.plot)
        print(f"right beside wrong: {path}", file=sys.stderr if args.json else sys.stdout)
    return 0 if explain.holds(entry, outcomes) else 1


def list_entries(args: argparse.Namespace) -> None:
    """Print one row for each entry, by family; or Markdown tables, or JSON."""
    from scratchgen import zoo
    from scratchgen.zoo import explain

    found = zoo.entries()
    if args.markdown:
        print(explain.markdown(found), end="")
        return
    if args.json:
        print(json.dumps([explain.as_json(entry) for entry in found], indent=2))
        return
    width = max(len(entry.name) for entry in found) + 4
    for family, group in groupby(found, key=lambda entry: entry.family):
        print(f"{family}:")
        for entry in group:
            print(row(f"  {entry.name}", entry.title, width))
    print(paragraph(f"{len(found)} entries; `scratchgen zoo NAME` explains one, with --run it is measured."))
