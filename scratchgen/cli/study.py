"""`scratchgen study`: the experiments behind the docs, one module of scratchgen.cli.studies each."""

from __future__ import annotations

import argparse
from importlib import import_module

from scratchgen.cli.common import row, sentence

HELP = "run an experiment of the docs: reproduce a published figure, compare models, detect OOD digits"
STUDIES = ("reproduce", "compare", "ood", "classifiers", "gans", "language", "pictures")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a subcommand for each study."""
    parser.add_argument("--list", action="store_true", help="list the studies")
    studies = parser.add_subparsers(metavar="NAME")
    for name in STUDIES:
        study = import_module(f"scratchgen.cli.studies.{name}")
        sub = studies.add_parser(name, help=study.HELP, description=sentence(study.HELP))
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        study.add_arguments(sub)
        sub.set_defaults(study=study.main)


def main(args: argparse.Namespace) -> int:
    """Run the study that was named; list the studies if none was."""
    if hasattr(args, "study"):
        code: int = args.study(args)
        return code
    if not args.list:
        raise ValueError("study expected a NAME or --list (see scratchgen study --help)")
    for name in STUDIES:
        print(row(name, import_module(f"scratchgen.cli.studies.{name}").HELP, 13))
    return 0
