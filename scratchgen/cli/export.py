"""`scratchgen export`: a network of a trained model as an ONNX file, or as a script for PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scratchgen.cli.common import add_json_argument, check_output, expect_format, print_result
from scratchgen.cli.run_folder import add_run_argument, open_run

HELP = "write a network of a trained model for other tools"
SUFFIXES = {"onnx": ".onnx", "torch": ".py"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_argument(parser)
    parser.add_argument(
        "--format", choices=SUFFIXES, default="onnx",
        help="onnx: one file, which onnxruntime runs (needs the package onnx); torch: a script that defines "
        "the network, and its weights next to it in .safetensors (default: onnx)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write: .onnx or .py")
    parser.add_argument("--part", metavar="PART", help="encoder, decoder, generator, …; an error lists them")
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Write the files."""
    expect_format(args.out, [SUFFIXES[args.format]])
    check_output(args.out)
    run = open_run(args.run_folder)
    from scratchgen import export

    part = export.find_part(run.model, args.part)
    if args.format == "onnx":
        files = [export.to_onnx(run.model, args.out, part.name)]
    else:
        files = list(export.to_torch(run.model, args.out, part.name))
    values: dict[str, Any] = {
        "model": run.name, "part": part.name, "format": args.format,
        "inputs": {value.name: value.shape for value in part.inputs}, "files": files,
    }  # fmt: skip
    print_result(
        args, values, f"The {part.name} of the {run.name} is in {' and '.join(map(str, files))}",
        f"Inputs: {', '.join(map(str, part.inputs))}",
    )  # fmt: skip
    return 0
