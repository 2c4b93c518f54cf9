"""Check the file of an exercise. `scratchgen exercise --check FILE` runs this in a new process."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from scratchgen.cli.own_code import FAILED, PASSED, REFUSED, guarded, leave, say, where
from scratchgen.gradcheck.report import NARROWEST


def main(words: Sequence[str] | None = None) -> int:
    """Check one file, print the report, and return one of the exit codes of own_code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    path, width = Path(args.target), max(NARROWEST, args.width)
    return guarded(lambda: check(args.target, path, width, args.json), args.target, path, args.timeout)


def check(target: str, path: Path, width: int, as_json: bool) -> int:
    """Print the report on a file, as text or as JSON; return PASSED, FAILED or REFUSED."""
    from scratchgen.exercises.check import check_text
    from scratchgen.exercises.report import report_lines, report_values

    sys.path.append(str(path.absolute().parent))
    try:
        # With --json, only the report is written to stdout, and not what the user's file prints.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            report = check_text(path.read_text(encoding="utf-8"), target)
    except ValueError as error:         # the file changed since the command read it
        return say(str(error), REFUSED)
    if as_json:
        print(json.dumps(report_values(report, lambda error: where(error, path))))
    else:
        print(*report_lines(report, width, lambda error: where(error, path)), sep="\n")
    return PASSED if report.solved else FAILED


if __name__ == "__main__":
    leave(main())
