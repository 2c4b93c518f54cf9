"""`scratchgen gradcheck`: compare hand-written gradients with central differences."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_output, columns

HELP = "compare hand-written gradients with central differences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="layers, losses or models to check (default: all of them)"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE",
        help="plot the error against the step size, for the first layer named (.png, .svg, .pdf)",
    )


def main(args: argparse.Namespace) -> int:
    """Print a table of gradient checks; return 1 if one failed.

    Each case runs twice: with the readable functions and with their compiled twins. With names, the table has
    a row for each array. Without names, it has a row for each case with its largest error, or a row for each
    check that failed. If only one of the two versions fails, its name is in the row.
    """
    if args.plot is not None:
        check_output(args.plot)
    from scratchgen import kernels, plots
    from scratchgen.gradcheck import report
    from scratchgen.models.cases import CASES

    cases = report.choose(CASES, args.names)
    plotted = None
    if args.plot is not None:
        plots.picture_format(args.plot)
        plotted = report.case_to_plot(cases, args.names)
    detailed = bool(args.names)
    width = columns()
    print(report.head(detailed, width))
    failed = kinks = 0
    versions = ("reference",) if kernels.backend() == "reference" else ("reference", "jit")
    for case in cases:
        results = {}
        for version in versions:
            with kernels.use(version):
                results[version] = case.run()
        failed += sum(not r.ok for found in results.values() for r in found)
        kinks += sum(r.verdict == "kink" for r in results[versions[-1]])
        print(*report.rows(case, results, detailed, width), sep="\n", flush=True)
    print(f"cases: {len(cases)}, failed checks: {failed}, arrays with a kink: {kinks}")
    if plotted is not None:
        print(f"error against step size: {plots.save(report.error_figure(plotted), args.plot)}")
    return 1 if failed else 0
