"""`scratchgen encode`: the latent codes of examples."""

from __future__ import annotations

import argparse
from pathlib import Path

from scratchgen.cli.common import ARRAYS, add_json_argument, check_output, expect_format, print_result
from scratchgen.cli.examples import add_example_arguments, examples_for, labels_for
from scratchgen.cli.run_folder import expect_method, open_run

HELP = "write the latent codes of examples"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_example_arguments(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="file for the codes, and in .npz and .csv also the labels: .npy, .npz or .csv",
    )
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Write the codes."""
    from scratchgen.cli.output import write_table

    expect_format(args.out, ARRAYS)
    check_output(args.out)
    run = open_run(args.run_folder)
    expect_method(run, "transform", "encode")
    x, y, source = examples_for(run, args)
    codes = run.model.transform(x, **labels_for(run, "transform", y))
    table = {"code": codes}
    if y is not None and args.out.suffix.lower() != ".npy":
        table["label"] = y
    write_table(args.out, table)
    values = {"model": run.name, "data": source, "n": len(x), "width": codes.shape[1], "file": args.out}
    print_result(args, values, f"{len(x):,} codes of {codes.shape[1]} numbers are in {args.out}")
    return 0
