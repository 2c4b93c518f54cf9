"""`scratchgen pretrained`: the models that come with the package."""

from __future__ import annotations

import argparse

from scratchgen.cli.common import add_json_argument, print_result, row

HELP = "list the trained models that come with the package, or show the card of one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the model whose card to show")
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print one row for each model, or a card."""
    from scratchgen import pretrained

    if args.name is not None:
        card = pretrained.card(args.name)
        print_result(args, {"name": args.name, "card": card}, card.rstrip())
        return 0
    titles = {name: pretrained.title(name) for name in pretrained.names()}
    width = max(map(len, titles)) + 2
    hint = 'scratchgen.load("NAME") loads one. `scratchgen pretrained NAME` shows its recipe and figures.'
    lines = [row(name, text, width) for name, text in titles.items()]
    print_result(args, {"models": titles}, *lines, "", hint)
    return 0
