"""`scratchgen gradcheck`: compare hand-written gradients with central differences."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from scratchgen.cli.apart import ask_apart, run_apart
from scratchgen.cli.common import add_json_argument, check_output, columns, print_result, seconds

HELP = "compare hand-written gradients with central differences"


FILE = re.compile(r"\.py(:|$)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="layers, losses or models to check (default: all of them), or FILE.py:NAME for your own "
        "layer or loss",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE",
        help="plot the error against the step size, and the error of each entry, for the first layer named "
        "(.png, .svg, .pdf)",
    )
    parser.add_argument(
        "--input", type=shape, metavar="SHAPE",
        help="the shape of the input of your own layer or loss, such as 7,5 (the default) or 2,6,6,3",
    )
    parser.add_argument(
        "--timeout", type=seconds, default=30.0, metavar="SECONDS",
        help="the time limit for each of your own layers or losses (default: 30)",
    )
    add_json_argument(parser)


def shape(text: str) -> tuple[int, ...]:
    """An argument that is a shape, such as 7,5."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected a shape such as 7,5, got {text!r}")
    return tuple(map(int, parts))


def main(args: argparse.Namespace) -> int:
    """Print a table of gradient checks; return 1 if one failed.

    Each case runs twice: with the readable functions and with their compiled twins. With names, the table has
    a row for each array. Without names, it has a row for each case with its largest error, or a row for each
    check that failed. If only one of the two versions fails, its name is in the row.
    """
    if args.plot is not None:
        check_output(args.plot)
    own = [name for name in args.names if FILE.search(name)]
    if own:
        return check_own(own, args)
    if args.input is not None:
        raise ValueError("--input expected FILE.py:NAME, your own layer or loss")
    from scratchgen import kernels, plots
    from scratchgen.gradcheck import report
    from scratchgen.models.cases import CASES

    cases = report.choose(CASES, args.names)
    plotted = None
    if args.plot is not None:
        plots.picture_format(args.plot)
        plotted = report.case_to_plot(cases, args.names)
    detailed = bool(args.names)
    width = max(report.NARROWEST, columns())
    if not args.json:
        print(report.head(detailed, width))
    failed = kinks = 0
    checked: list[dict[str, object]] = []
    versions = ("reference",) if kernels.backend() == "reference" else ("reference", "jit")
    for case in cases:
        results = {}
        for version in versions:
            with kernels.use(version):
                results[version] = case.run()
        failed += sum(not r.ok for found in results.values() for r in found)
        kinks += sum(r.verdict == "kink" for r in results[versions[-1]])
        checked += [
            {"case": case.name, "kernels": version, **report.as_values(r)}
            for version, found in results.items()
            for r in found
        ]
        if not args.json:
            print(*report.rows(case, results, detailed, width), sep="\n", flush=True)
    values = {"cases": len(cases), "failed": failed, "kinks": kinks, "checks": checked}
    print_result(args, values, f"cases: {len(cases)}, failed checks: {failed}, arrays with a kink: {kinks}")
    if plotted is not None:
        saved = plots.save(report.error_figure(plotted), args.plot)
        if not args.json:
            print(f"error against step size: {saved}")
    return 1 if failed else 0


def check_own(targets: list[str], args: argparse.Namespace) -> int:
    """Check layers or losses in files of the user, each in its own process; return the largest exit code."""
    if len(targets) < len(args.names):
        raise ValueError("gradcheck expected either names of the library or FILE.py:NAME, got both")
    for target in targets:
        file, _, name = target.rpartition(":")
        if not file.endswith(".py") or not name:
            raise ValueError(f"{target}: gradcheck expected FILE.py:NAME, with the name of a layer or loss")
        if not Path(file).is_file():
            raise ValueError(f"{file}: no such file")
    if args.plot is not None:
        from scratchgen.plots import picture_format

        if len(targets) > 1:
            raise ValueError(f"--plot expected one FILE.py:NAME, got {len(targets)}")
        picture_format(args.plot)
    options = []
    if args.input is not None:
        options.append(f"--input={','.join(map(str, args.input))}")
    if args.plot is not None:
        options.append(f"--plot={args.plot}")
    module = "scratchgen.cli.own_code"
    if not args.json:
        return max(run_apart(module, target, args.timeout, options) for target in targets)
    answers = {target: ask_apart(module, target, args.timeout, options) for target in targets}
    checks = [
        {"case": target, "kernels": "reference", **check}
        for target, (_, found) in answers.items() if found is not None for check in found["checks"]
    ]  # fmt: skip
    failed = sum(check["verdict"] == "FAIL" for check in checks)
    kinks = sum(check["verdict"] == "kink" for check in checks)
    refused = [target for target, (_, found) in answers.items() if found is None]   # stderr says why
    values = {"cases": len(targets) - len(refused), "failed": failed, "kinks": kinks, "checks": checks}
    print_result(args, {**values, "not_checked": refused})
    return max(code for code, _ in answers.values())
