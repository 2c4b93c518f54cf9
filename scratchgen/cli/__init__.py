"""The command `scratchgen`.

Each command is a module of this package with `HELP` (one line), `add_arguments(parser)` and `main(args)`,
which returns the exit code. A command imports its dependencies only when it is called, so `scratchgen --help`
starts quickly.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any

import scratchgen
from scratchgen.cli.common import Parser, sentence
from scratchgen.runtime import process

COMMANDS = (        # in the order of --help
    "demo", "gallery", "gradcheck", "trace", "zoo", "exercise", "train", "sample", "reconstruct", "encode",
    "score", "info", "pretrained", "export", "study", "data", "download", "completion",
)  # fmt: skip
ALIASES = {"reproduce": "reproduce", "compare": "compare", "ood": "ood", "anomaly": "ood"}    # of studies
CLOSED_PIPE = 141       # what a shell reports for a program that SIGPIPE ended: 128 + 13
EXIT_CODES = (
    "Exit codes: 0 success; 1 a check failed or training diverged; 2 invalid input, with one line on stderr; "
    "130 interrupted with Ctrl-C; 141 the program that reads the output has ended, as in | head."
)


def build_parser(*chosen: str) -> argparse.ArgumentParser:
    """Build the parser. Only the chosen commands add their own arguments, which keeps the start fast."""
    debug = Parser(add_help=False)
    debug.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show where an error was raised"
    )
    debug.add_argument(
        "--quiet", action="store_true", default=argparse.SUPPRESS,
        help="no progress and no notes: only results, warnings and errors",
    )
    parser = Parser(
        prog="scratchgen",
        parents=[debug],
        description="Generative models with every gradient written by hand.",
        epilog=(
            "`scratchgen COMMAND --help` shows the options of a command. "
            f"{', '.join(ALIASES)}: short for `scratchgen study NAME`. {EXIT_CODES}"
        ),
    )
    parser.add_argument("--version", action="version", version=f"scratchgen {scratchgen.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name in COMMANDS:
        command = import_module(f"scratchgen.cli.{name}")
        sub = commands.add_parser(
            name, parents=[debug], help=command.HELP, description=sentence(command.HELP), epilog=EXIT_CODES
        )
        if name in chosen:
            command.add_arguments(sub)
            sub.set_defaults(run=command.main)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Without a command, print the help.

    Invalid input (a ValueError, TypeError, OSError or MemoryError from the library) gives one line on stderr
    and code 2. Training that diverged gives one line and code 1. Any other exception is a bug and keeps its
    traceback. --debug shows the traceback in every case.
    """
    process.prepare()
    make_output_safe()
    os.environ["MPLBACKEND"] = "agg"    # figures are written to files, so a backend for windows is not needed
    logging.basicConfig(format="%(name)s: %(message)s")     # to stderr
    logging.getLogger("scratchgen").setLevel(logging.INFO)
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    try:
        place = next((i for i, word in enumerate(argv) if not word.startswith("-")), None)
        if place is not None:
            if argv[place] in ALIASES:
                argv[place : place + 1] = ["study", ALIASES[argv[place]]]
            expect_command(argv[place])
        parser = build_parser(*([] if place is None else [argv[place]]))
        args = parser.parse_args(argv)
        if not hasattr(args, "run"):
            parser.print_help()
            return 0
        with quiet() if getattr(args, "quiet", False) else nullcontext():
            code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as error:
        print(f"scratchgen: {str(error) or 'interrupted'}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The program that reads our output (head, less) has ended. Without this, Python prints an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except (ValueError, TypeError, OSError, MemoryError) as error:
        return report_error(error, 2, debug)
    except ArithmeticError as error:
        from scratchgen.training.loop import TrainingDiverged

        if not isinstance(error, TrainingDiverged):
            raise
        return report_error(error, 1, debug)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what is written to stderr, such as progress, except for warnings."""
    stderr, logger = sys.stderr, logging.getLogger("scratchgen")
    level = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings(), open(os.devnull, "w", encoding="utf-8") as null:
        usual = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None,
            line: str | None = None,
        ) -> None:  # fmt: skip
            usual(message, category, filename, lineno, file or stderr, line)

        warnings.showwarning = show
        sys.stderr = null
        try:
            yield
        finally:
            sys.stderr = stderr
            logger.setLevel(level)


def make_output_safe() -> None:
    """Let stdout and stderr print a question mark for each character that the console's encoding lacks.

    If a stream is None, because it was closed or because there is no console, it is replaced by the null
    device.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):    # a stream that replaces it, as in tests, may not
            stream.reconfigure(errors="replace")


def expect_command(name: str) -> None:
    """Raise ValueError, with the nearest name, if there is no such command."""
    if name not in COMMANDS:
        from scratchgen.checks import check_name

        check_name("command", name, [*COMMANDS, *ALIASES])


def in_a_folder() -> bool:
    """Whether the current folder exists. Numba needs it to compile, and so does every relative path."""
    try:
        return os.path.isdir(os.getcwd())
    except FileNotFoundError:
        return False


def report_error(error: Exception, code: int, debug: bool) -> int:
    """Print an error as one line, with debug after its traceback, and return the exit code."""
    if debug:
        traceback.print_exc()
    print(f"scratchgen: error: {describe(error)}", file=sys.stderr)
    return code


def describe(error: Exception) -> str:
    """An exception as one line; for a file error, the file and then what happened to it."""
    if isinstance(error, FileNotFoundError) and error.filename is None and not in_a_folder():
        return "the current folder was deleted; change to a folder that exists"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
