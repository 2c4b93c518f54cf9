"""`scratchgen study`: the experiments behind the docs, one module of scratchgen.cli.studies each.

Each module has `HELP`, `add_arguments(parser)` and `main(args)`, which returns an Outcome: what to print.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext, redirect_stdout
from importlib import import_module

from scratchgen.cli.common import add_json_argument, print_result, row, sentence
from scratchgen.cli.studies import Outcome

HELP = "run an experiment of the docs: reproduce a published figure, compare models, detect OOD digits"
STUDIES = ("reproduce", "compare", "ood", "classifiers", "gans", "language", "pretrained", "pictures")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a subcommand for each study."""
    parser.add_argument("--list", action="store_true", help="list the studies")
    add_json_argument(parser)
    studies = parser.add_subparsers(metavar="NAME")
    for name in STUDIES:
        study = import_module(f"scratchgen.cli.studies.{name}")
        sub = studies.add_parser(name, help=study.HELP, description=sentence(study.HELP))
        for option, text in (
            ("--debug", argparse.SUPPRESS), ("--json", "print the result as one JSON object"),
        ):  # fmt: skip
            sub.add_argument(option, action="store_true", default=argparse.SUPPRESS, help=text)
        study.add_arguments(sub)
        sub.set_defaults(study=study.main)


def main(args: argparse.Namespace) -> int:
    """Run the study that was named; list the studies if none was."""
    if hasattr(args, "study"):
        # With --json, only the result is written to stdout.
        with redirect_stdout(sys.stderr) if args.json else nullcontext():
            outcome: Outcome = args.study(args)
        print_result(args, outcome.values, *outcome.lines)
        return 0
    if not args.list:
        raise ValueError("study expected a NAME or --list (see scratchgen study --help)")
    known = {name: import_module(f"scratchgen.cli.studies.{name}").HELP for name in STUDIES}
    print_result(args, {"studies": known}, *(row(name, text, 13) for name, text in known.items()))
    return 0
