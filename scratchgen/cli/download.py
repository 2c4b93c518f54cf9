"""`scratchgen download`: fetch the full MNIST or Fashion-MNIST."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import add_json_argument, check_writable, print_result

HELP = "download the full MNIST or Fashion-MNIST once (11 or 31 MB, verified)"
TITLES = {"mnist": "full MNIST", "fashion-mnist": "Fashion-MNIST"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER",
        help="folder to save it in (default: the user's cache folder, where --data finds it)",
    )
    parser.add_argument(
        "--dataset", choices=tuple(TITLES), default="mnist",
        help="mnist (verified by SHA-256) or fashion-mnist (verified by its published MD5); default: mnist",
    )
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Download the files and print the folder that holds them."""
    if args.folder is not None:
        check_writable(args.folder)
    from scratchgen import data

    fetch = data.download_digits if args.dataset == "mnist" else data.download_fashion_mnist
    folder = fetch(args.folder)
    values = {"dataset": args.dataset, "folder": folder}
    print_result(args, values, f"The {TITLES[args.dataset]} is in {folder}")
    return 0
