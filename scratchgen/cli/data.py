"""`scratchgen data`: show which copy of MNIST is used."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_output, paragraph

HELP = "show which copy of MNIST will be used"


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


def main(args: argparse.Namespace) -> int:
    """Show where the digits come from and how many there are, or write the embedded part."""
    if args.embed is not None:
        check_output(args.out)
        from scratchgen.data.embed import embed
        from scratchgen.data.files import write_whole
        from scratchgen.data.mnist import read_folder

        data = embed(read_folder(args.embed))
        write_whole(args.out, data)
        print(f"{args.out}: {len(data):,} bytes")
        return 0
    from scratchgen.data import load_digits

    digits = load_digits()
    print(paragraph(digits.source))
    print(f"{len(digits.x_train):,} training digits, {len(digits.x_test):,} test digits")
    return 0
