"""`scratchgen reconstruct`: encode and decode examples, and show what is lost."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import (
    ARRAYS,
    add_json_argument,
    check_output,
    expect_format,
    print_result,
    whole_number,
)
from scratchgen.cli.examples import add_example_arguments, examples_for, labels_for
from scratchgen.cli.run_folder import expect_method, open_run

HELP = "encode and decode examples, and measure the error"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_example_arguments(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="a .png with rows of examples above their reconstructions, or an array in .npy, .npz or .csv",
    )
    parser.add_argument(
        "--n", type=whole_number(1), default=40, metavar="N", help="examples in the .png (default: 40)"
    )
    parser.add_argument("--columns", type=whole_number(1), default=10, metavar="C", help="default: 10")
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print the mean squared error, and write the reconstructions to --out."""
    import numpy as np

    from scratchgen.cli.output import write_grid, write_table

    run = open_run(args.run_folder)
    expect_method(run, "reconstruct", "reconstruct")
    if args.out is not None:
        expect_format(args.out, (".png", *ARRAYS) if run.shape is not None else ARRAYS)
        check_output(args.out)
    x, y, source = examples_for(run, args)
    out = run.model.reconstruct(x, **labels_for(run, "reconstruct", y))
    error = ((out - x) ** 2).sum(axis=1, dtype=np.float64)
    if args.out is not None and args.out.suffix.lower() == ".png":
        n, c = min(args.n, len(x)), min(args.columns, args.n, len(x))
        n -= n % c      # whole rows, so that each example is above its reconstruction
        pairs = np.stack([x[:n].reshape(-1, c, x.shape[1]), out[:n].reshape(-1, c, x.shape[1])], axis=1)
        write_grid(args.out, pairs.reshape(-1, *(run.shape or ())), c)
    elif args.out is not None:
        write_table(args.out, {"x": out})
    values = {"model": run.name, "data": source, "n": len(x), "squared_error": float(error.mean())}
    values["file"] = args.out
    lines = [f"squared error per example: {error.mean():.4g} (mean of {len(x):,})"]
    print_result(args, values, *lines, *([f"saved in {args.out}"] if args.out is not None else []))
    return 0
