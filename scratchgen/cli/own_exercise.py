"""Check the file of an exercise. `scratchgen exercise --check FILE` runs this in a new process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scratchgen.cli.own_code import FAILED, PASSED, REFUSED, guarded, leave, say, where
from scratchgen.gradcheck.report import NARROWEST


def main(words: Sequence[str] | None = None) -> int:
    """Check one file, print the report, and return one of the exit codes of own_code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--width", type=int, required=True)
    args = parser.parse_args(words)
    path, width = Path(args.target), max(NARROWEST, args.width)
    return guarded(lambda: check(args.target, path, width), args.target, path, args.timeout)


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
    leave(main())
