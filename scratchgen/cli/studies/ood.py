"""`scratchgen study ood`: out-of-distribution detection."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable, row, whole_number
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.studies import Outcome
from scratchgen.cli.workers import add_worker_arguments, workers_of

HELP = "measure how well each model detects digits it was not trained on"
RESULTS, PICTURES = Path("results"), Path("gallery")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    from scratchgen.studies.ood.protocols import PROTOCOLS

    parser.add_argument("--list", action="store_true", help="list the models")
    parser.add_argument(
        "--protocol", choices=list(PROTOCOLS), help="train without one digit, or only on one (default: both)"
    )
    parser.add_argument(
        "--models", nargs="+", metavar="MODEL", help="models to measure (default: all but the slow pixelcnn)"
    )
    parser.add_argument(
        "--digits", nargs="+", type=whole_number(0), metavar="D", help="digits to leave out (default: 0 to 9)"
    )
    parser.add_argument("--seeds", type=whole_number(1), metavar="N", help="number of seeds (default: 2)")
    parser.add_argument("--full", action="store_true", help="all of MNIST (default: the embedded part)")
    parser.add_argument("--data", default="", metavar="PATH", help=OTHER_IMAGES)
    parser.add_argument(
        "--write-chapter", action="store_true",
        help="only write the saved results and the figure into docs/out-of-distribution.md",
    )
    add_worker_arguments(parser)


def main(args: argparse.Namespace) -> Outcome:
    """Measure the results that are missing, list the models, or write the chapter."""
    from scratchgen.studies.ood import study
    from scratchgen.studies.ood.cells import Plan
    from scratchgen.studies.ood.detectors import detectors

    if args.list:
        width = max(map(len, detectors())) + 2
        titles = {name: detector.title for name, detector in detectors().items()}
        return Outcome({"models": titles}, [row(name, title, width) for name, title in titles.items()])
    if args.write_chapter:
        saved = RESULTS / "ood.json"
        study.write_chapter(saved)
        values = {"chapter": study.CHAPTER, "figure": study.FIGURE, "results": saved}
        return Outcome(values, [f"{study.CHAPTER} and {study.FIGURE} show {saved}"])
    expect_readable(args.data or None)
    workers = workers_of(args)
    for folder in (study.FOLDER, RESULTS, PICTURES):
        check_writable(folder)
    usual = Plan(full=args.full)
    plan = Plan(
        protocols=usual.protocols if args.protocol is None else (args.protocol,),
        models=tuple(args.models or usual.models),
        digits=tuple(args.digits or usual.digits),
        seeds=args.seeds or usual.seeds,
        full=args.full,
        data=args.data,
    )
    result = study.detect(plan, study.FOLDER, RESULTS, PICTURES, workers)
    name = study.file_name(plan)
    file, figure = RESULTS / f"{name}.json", PICTURES / f"{name}.png"
    lines = [
        f"\n{result.tables()}\n\n{result.seconds:.0f} seconds of processor time",
        f"saved in {file} and {figure}",
    ]
    return Outcome({**result.as_json(), "file": file, "figure": figure}, lines)
