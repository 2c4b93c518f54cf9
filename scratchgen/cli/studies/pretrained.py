"""`scratchgen study pretrained`: train the models that come with the package."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable, row, whole_number
from scratchgen.cli.studies import Outcome

HELP = "train the models that come with the package, and write their cards"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument("name", nargs="*", metavar="NAME", help="one that --list names; all by default")
    parser.add_argument("--list", action="store_true", help="list the models")
    parser.add_argument(
        "--epochs", type=whole_number(1), metavar="N", help="length of training (default: the recipe's)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to write (default: the folder of the package)"
    )


def main(args: argparse.Namespace) -> Outcome:
    """Train the models one after another, or list them."""
    from scratchgen import pretrained
    from scratchgen.studies.pretrained import build

    if args.list:
        titles = {name: recipe.title for name, recipe in build.RECIPES.items()}
        return Outcome({"models": titles}, [row(name, title, 21) for name, title in titles.items()])
    names = build.expect_names(args.name)
    folder = pretrained.FOLDER if args.out is None else args.out
    check_writable(folder)
    found, lines = {}, []
    for name in names:
        path = folder / f"{name}.safetensors"
        figures = build.build(name, epochs=args.epochs, out=folder)
        print(f"{path} is written", flush=True)
        found[name] = {"file": path, "figures": figures}
        lines += [name, *(f"  {figure}: {value:,.2f}" for figure, value in figures.items())]
    return Outcome({"models": found}, lines)
