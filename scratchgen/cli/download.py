"""`scratchgen download`: fetch the full MNIST."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable

HELP = "download the full MNIST once (11 MB, verified by SHA-256)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER",
        help="folder to save it in (default: the user's cache folder)",
    )


def main(args: argparse.Namespace) -> int:
    """Download the full MNIST and print the folder that holds it."""
    if args.folder is not None:
        check_writable(args.folder)
    from scratchgen.data import download_digits

    print(f"The full MNIST is in {download_digits(args.folder)}")
    return 0
