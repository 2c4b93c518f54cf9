"""`scratchgen completion`: a script that completes commands and options in a shell."""

from __future__ import annotations

import argparse

HELP = "print a completion script for bash or zsh"
HINT = "completion needs the package shtab: pip install 'scratchgen[completion]'"
SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "shell", choices=SHELLS,
        help="the shell. bash: eval \"$(scratchgen completion bash)\" in ~/.bashrc; zsh: save the output as "
        "_scratchgen in a folder of $fpath",
    )


def main(args: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ValueError(HINT) from None
    from scratchgen.cli import COMMANDS, build_parser

    print(shtab.complete(build_parser(*COMMANDS), shell=args.shell))
    return 0
