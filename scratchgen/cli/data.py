"""`scratchgen data`: show which digits are used, or what --data reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import add_json_argument, check_output, paragraph, print_result
from scratchgen.cli.sources import add_data_arguments, load_data

HELP = "show which digits will be used, or what --data reads"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--embed", type=Path, metavar="FOLDER",
        help="choose the embedded part again from the full MNIST in FOLDER, and write it to --out",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("digits.npz"), metavar="FILE",
        help="file for --embed (default: digits.npz)",
    )
    add_json_argument(parser)
    add_data_arguments(parser, default="the digits that the other commands use")


def main(args: argparse.Namespace) -> int:
    """Show where the digits come from and how many there are, or write the embedded part."""
    if args.embed is not None:
        check_output(args.out)
        from scratchgen.data.embed import embed
        from scratchgen.data.files import write_whole
        from scratchgen.data.mnist import read_folder

        packed = embed(read_folder(args.embed))
        write_whole(args.out, packed)
        print(f"{args.out}: {len(packed):,} bytes")
        return 0
    data = load_data(args)
    what = "rows" if data.shape is None else "digits" if args.data is None else "images"
    counts = f"{len(data.x_train):,} training {what}, {len(data.x_test):,} test {what}"
    lines = [paragraph(data.source), counts]
    classes = 0 if data.y_train is None else 1 + int(data.y_train.max())
    if args.data is not None:
        named = f": {', '.join(data.names)}" if data.names else ""
        lines.append(paragraph(f"{classes} classes{named}" if classes else "no labels"))
    values = {
        "source": data.source, "train": len(data.x_train), "test": len(data.x_test), "shape": data.shape,
        "features": data.x_train.shape[1], "classes": classes, "names": data.names, "columns": data.columns,
    }  # fmt: skip
    print_result(args, values, *lines)
    return 0
