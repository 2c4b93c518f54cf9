"""`scratchgen study pictures`: plot samples of the reproduced GANs and diffusions."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable
from scratchgen.cli.sources import OTHER_IMAGES, expect_readable
from scratchgen.cli.studies import Outcome

FIGURES = ("gan_samples", "diffusion_samples")
HELP = "plot samples of reproduced GANs and diffusions with the nearest real digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument(
        "--figure", choices=FIGURES, metavar="NAME", help=f"only {' or '.join(FIGURES)} (default: both)",
    )
    parser.add_argument("--data", default="", metavar="PATH", help=OTHER_IMAGES)
    parser.add_argument(
        "--out", type=Path, default=Path("docs/figures"), metavar="DIR",
        help="folder for the pictures (default: docs/figures)",
    )


def main(args: argparse.Namespace) -> Outcome:
    """Plot the samples from the runs in runs/."""
    expect_readable(args.data or None)
    check_writable(args.out)
    from scratchgen.studies.reproduce.pictures import plot_samples

    args.out.mkdir(parents=True, exist_ok=True)
    found, lines = {}, []
    for figure in FIGURES if args.figure is None else [args.figure]:
        path, medians = plot_samples(args.out, figure, args.data)
        text = "median distance to the nearest training digit"
        lines += [f"{title:22} {text} {median:.2f}" for title, median in medians.items()]
        lines.append(f"saved in {path}")
        found[figure] = {"file": path, text: medians}
    return Outcome({"figures": found}, lines)
