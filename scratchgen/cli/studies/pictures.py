"""`scratchgen study pictures`: plot samples of the reproduced GANs and diffusions."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import check_writable

FIGURES = ("gan_samples", "diffusion_samples")
HELP = "plot samples of reproduced GANs and diffusions with the nearest real digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the study."""
    parser.add_argument(
        "--figure", choices=FIGURES, metavar="NAME", help=f"only {' or '.join(FIGURES)} (default: both)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("docs/figures"), metavar="DIR",
        help="folder for the pictures (default: docs/figures)",
    )


def main(args: argparse.Namespace) -> int:
    """Plot the samples from the runs in runs/."""
    check_writable(args.out)
    from scratchgen.studies.reproduce.pictures import plot_samples

    args.out.mkdir(parents=True, exist_ok=True)
    for figure in FIGURES if args.figure is None else [args.figure]:
        path, medians = plot_samples(args.out, figure)
        for title, median in medians.items():
            print(f"{title:22} median distance to the nearest training digit {median:.2f}")
        print(f"saved in {path}")
    return 0
