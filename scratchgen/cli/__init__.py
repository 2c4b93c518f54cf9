"""The command `scratchgen`: what it understands, and what it says when it can't.

Nothing heavy is imported up here: `scratchgen --help` answers at once, and each command imports what
it needs when it is called.

Exit codes: 0 done, 1 a check failed or training diverged, 2 bad input (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import argparse
import ast
import logging
import os
import re
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import scratchgen


class _Parser(argparse.ArgumentParser):
    """argparse, but a mistake gets one line and not the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"scratchgen: error: {message} (see {self.prog} --help)\n")


def build_parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser, and the names of its commands in the order in which --help shows them."""
    debug = _Parser(add_help=False)
    debug.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show where an error was raised"
    )
    about = "Generative models with every gradient written by hand."
    parser = _Parser(prog="scratchgen", parents=[debug], description=about)
    parser.add_argument("--version", action="version", version=f"scratchgen {scratchgen.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    p = commands.add_parser("demo", parents=[debug], help="run one demo; its pictures go to gallery/")
    which = p.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="one of those that --list shows")
    which.add_argument("--list", action="store_true", help="list the demos and what each shows")
    p.add_argument("--out", type=Path, default=Path("gallery"), metavar="DIR", help="default: gallery")
    p.set_defaults(run=run_demo)

    p = commands.add_parser("gradcheck", parents=[debug], help="check gradients by central differences")
    p.add_argument("names", nargs="*", metavar="NAME", help="layers, losses or models; default: all of them")
    p.add_argument("--plot", metavar="FILE", help="draw the error against the step size into FILE")
    p.set_defaults(run=run_gradcheck)

    p = commands.add_parser("train", parents=[debug], help="train a model on digits and keep the run")
    p.add_argument("model", choices=["autoencoder"], metavar="MODEL", help="autoencoder")
    p.add_argument("--form", choices=["dense", "convolutional"], default="dense", help="default: dense")
    p.add_argument("--code", type=_positive, default=30, metavar="K", help="width of the code; default: 30")
    p.add_argument("--epochs", type=_positive, default=20, metavar="N", help="in total; default: 20")
    p.add_argument("--lr", type=float, default=1e-3, help="learning rate; default: 0.001")
    p.add_argument("--seed", type=_not_negative, default=0, metavar="S", help="default: 0")
    p.add_argument("--out", type=Path, default=Path("runs/autoencoder.safetensors"), metavar="FILE")
    p.add_argument("--resume", action="store_true", help="go on with the run in FILE")
    p.set_defaults(run=run_train)

    p = commands.add_parser("reproduce", parents=[debug], help="reproduce a published figure, into results/")
    p.add_argument("name", metavar="NAME", help="for example: autoencoder")
    p.add_argument("--resume", action="store_true", help="take an interrupted run up again")
    p.add_argument("--epochs", type=_positive, metavar="N", help="another length than the recipe's")
    p.set_defaults(run=run_reproduce)

    p = commands.add_parser(
        "compare", parents=[debug], help="four families of models side by side, into results/ and gallery/"
    )
    p.add_argument(
        "--seconds", type=_seconds, metavar="S", help="of training, on the processor, for each; default: 60"
    )
    p.add_argument("--full", action="store_true", help="all of MNIST; default: the embedded part")
    p.set_defaults(run=run_compare)

    p = commands.add_parser("anomaly", parents=[debug], help="how well each model tells a foreign digit")
    p.add_argument("--protocol", choices=["without", "only"], help="default: both")
    p.add_argument("--models", nargs="+", metavar="MODEL", help="default: all but pixelcnn, which is slow")
    p.add_argument("--digits", nargs="+", type=_not_negative, metavar="D", help="default: 0 to 9")
    p.add_argument("--seeds", type=_positive, metavar="N", help="default: 2")
    p.add_argument("--full", action="store_true", help="all of MNIST; default: the embedded part")
    p.set_defaults(run=run_anomaly)

    p = commands.add_parser("download", parents=[debug], help="fetch the full MNIST once, checked by SHA-256")
    p.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="default: the user's cache folder")
    p.set_defaults(run=run_download)

    p = commands.add_parser("data", parents=[debug], help="say which digits are found")
    p.set_defaults(run=run_data)
    return parser, list(commands.choices)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Bad input (ValueError, TypeError, OSError from the library, and MemoryError: a size too large) becomes one
    line on stderr and code 2, and so does training that diverged, with code 1; any other exception is a bug
    and keeps its traceback. --debug shows the traceback in each case.
    """
    logging.basicConfig(format="%(name)s: %(message)s")     # to stderr
    logging.getLogger("scratchgen").setLevel(logging.INFO)
    argv = list(sys.argv[1:] if argv is None else argv)
    parser, commands = build_parser()
    debug = False
    try:
        command = next((word for word in argv if not word.startswith("-")), None)
        if command is not None and command not in commands:
            from scratchgen.checks import check_name

            check_name("command", command, commands)
        args = parser.parse_args(argv)
        debug = "debug" in args
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as error:
        print(f"scratchgen: {str(error) or 'interrupted'}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (head, less) has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        print(f"scratchgen: error: {describe(error)}", file=sys.stderr)
        return 2
    except ArithmeticError as error:
        from scratchgen.training.loop import TrainingDiverged

        if not isinstance(error, TrainingDiverged):
            raise
        if debug:
            traceback.print_exc()
        print(f"scratchgen: error: {describe(error)}", file=sys.stderr)
        return 1


def describe(error: Exception) -> str:
    """An exception as one line; for a file error, the file and then what happened to it."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def check_writable(folder: Path) -> None:
    """Find out, before any work is done and without making it, whether `folder` can be written into.

    Raises NotADirectoryError or PermissionError, naming the folder or the parent that stands in the way.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(f"cannot write into {folder}: {there} is a file, expected a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write into {folder}: no permission to write in {there}")


def find_demos() -> dict[str, Path]:
    """The demo scripts by name, in reading order: demos/01_compress.py is "compress".

    They are looked for beside the package (a checkout), then in the current folder. The wheel has none.
    """
    for root in (Path(__file__).resolve().parents[2], Path.cwd()):
        scripts = sorted((root / "demos").glob("[0-9]*_*.py"))
        if scripts:
            return {re.sub(r"^\d+_", "", path.stem): path for path in scripts}
    raise FileNotFoundError(
        "no demos found: an installed wheel has none; run this in a checkout of scratchgen or in its "
        "unpacked source distribution, where the folder demos/ is"
    )


def run_demo(args: argparse.Namespace) -> int:
    """List the demos, or run one of them: the main(out) of its script."""
    demos = find_demos()
    if args.list:
        width = max(map(len, demos))
        for name, path in demos.items():
            print(f"{name:{width}}  {_first_line(path)}")
        return 0
    from scratchgen.checks import check_name

    script = demos[check_name("demo", args.name, demos)]
    check_writable(args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    runpy.run_path(str(script))["main"](args.out)
    return 0


def run_gradcheck(args: argparse.Namespace) -> int:
    """Print the table of gradient checks; 1 if one failed."""
    if args.plot is not None:
        if Path(args.plot).is_dir():
            raise IsADirectoryError(f"--plot expected a file to write, but {args.plot} is a folder")
        check_writable(Path(args.plot).parent)
    from scratchgen.gradcheck.report import run
    from scratchgen.models.cases import CASES

    return run(CASES, args.names, args.plot)


def run_train(args: argparse.Namespace) -> int:
    """Train a model and keep the run in a file."""
    check_writable(args.out.parent)
    from scratchgen.cli.train import train

    return train(args)


def run_reproduce(args: argparse.Namespace) -> int:
    """Reproduce one published figure."""
    check_writable(Path("results"))
    from scratchgen.studies.reproduce import run

    return run(args.name, epochs=args.epochs, resume=args.resume)


def run_compare(args: argparse.Namespace) -> int:
    """Train and measure the families side by side."""
    for folder in (Path("results"), Path("gallery")):
        check_writable(folder)
    from scratchgen.studies.compare import SECONDS, run

    return run(args.seconds or SECONDS, args.full)


def run_anomaly(args: argparse.Namespace) -> int:
    """Measure how well models tell the foreign; what was measured before is kept."""
    for folder in (Path("runs"), Path("results"), Path("gallery")):
        check_writable(folder)
    from scratchgen.studies.ood import Plan, run

    usual = Plan(full=args.full)
    plan = Plan(
        protocols=usual.protocols if args.protocol is None else (args.protocol,),
        models=tuple(args.models or usual.models),
        digits=tuple(args.digits or usual.digits),
        seeds=args.seeds or usual.seeds,
        full=args.full,
    )
    return run(plan)


def run_download(args: argparse.Namespace) -> int:
    """Download the full MNIST and say where it lies."""
    if args.folder is not None:
        check_writable(args.folder)
    from scratchgen.data import download_digits

    print(f"full MNIST is in {download_digits(args.folder)}")
    return 0


def run_data(args: argparse.Namespace) -> int:
    """Say which digits the demos would use."""
    from scratchgen.data import load_digits

    digits = load_digits()
    print(digits.source)
    print(f"{len(digits.x_train):,} digits to train on, {len(digits.x_test):,} to test on")
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return seconds


def _positive(text: str) -> int:
    return _whole_number(text, 1)


def _not_negative(text: str) -> int:
    return _whole_number(text, 0)


def _whole_number(text: str, least: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return number


def _first_line(script: Path) -> str:
    """The first line of a script's docstring, read without running the script."""
    docstring = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    return docstring.splitlines()[0] if docstring else ""
