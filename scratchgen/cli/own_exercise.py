"""Check the file of an exercise. `scratchgen exercise --check FILE` runs this in a new process."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scratchgen.cli.own_code import CLOSED, FAILED, INTERRUPTED, PASSED, REFUSED, say, start_timer, where
from scratchgen.gradcheck.report import NARROWEST


def main(words: Sequence[str] | None = None) -> int:
    """Check one file, print the report, and return one of the exit codes of own_code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--width", type=int, required=True)
    args = parser.parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    path = Path(args.target)
    start_timer(args.target, path, args.timeout)
    try:
        code = check(args.target, path, max(NARROWEST, args.width))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:      # also SystemExit: whatever the code of the user raises
        return say(f"{args.target}: {where(error, path)}", FAILED)


def check(target: str, path: Path, width: int) -> int:
    """Print the report on a file and return PASSED, FAILED or REFUSED."""
    from scratchgen.exercises.check import check_text
    from scratchgen.exercises.report import report_lines

    sys.path.append(str(path.absolute().parent))
    try:
        report = check_text(path.read_text(encoding="utf-8"), target)
    except ValueError as error:         # the file changed since the command read it
        return say(str(error), REFUSED)
    print(*report_lines(report, width, lambda error: where(error, path)), sep="\n")
    return PASSED if report.solved else FAILED


if __name__ == "__main__":
    # Threads that the file started must not keep the process alive.
    exit_code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        exit_code = CLOSED
    sys.stderr.flush()
    os._exit(exit_code)
