"""`scratchgen pretrained`: the models that come with the package."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import row

HELP = "list the trained models that come with the package, or show the card of one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the model whose card to show")


def main(args: argparse.Namespace) -> int:
    """Print one row for each model, or a card."""
    from scratchgen import pretrained

    if args.name is not None:
        print(pretrained.card(args.name).rstrip())
        return 0
    names = pretrained.names()
    width = max(map(len, names)) + 2
    for name in names:
        print(row(name, pretrained.title(name), width))
    print('\nscratchgen.load("NAME") loads one. `scratchgen pretrained NAME` shows its recipe and figures.')
    return 0
