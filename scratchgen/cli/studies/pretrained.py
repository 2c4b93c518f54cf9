"""`scratchgen study pretrained`: train the models that come with the package."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable, row, whole_number

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


def main(args: argparse.Namespace) -> int:
    """Train the models one after another, or list them."""
    from scratchgen import pretrained
    from scratchgen.studies.pretrained import build

    if args.list:
        for name, recipe in build.RECIPES.items():
            print(row(name, recipe.title, 21))
        return 0
    names = build.expect_names(args.name)
    folder = pretrained.FOLDER if args.out is None else args.out
    check_writable(folder)
    for name in names:
        figures = build.build(name, epochs=args.epochs, out=folder)
        print(f"{folder / name}.safetensors")
        for key, value in figures.items():
            print(f"  {key}: {value:,.2f}", flush=True)
    return 0
