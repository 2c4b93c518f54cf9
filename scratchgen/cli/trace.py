"""`scratchgen trace`: one training step of a model, taken apart."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scratchgen.cli.common import check_output, paragraph, print_result, row

HELP = "take one training step of a model apart: values, equations, gradients"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "name", nargs="?", metavar="MODEL",
        help="a model such as VAE, or one of its examples such as 'VAE convolutional'; see --list",
    )
    parser.add_argument("--list", action="store_true", help="list the models and their examples")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--html", type=Path, metavar="FILE",
        help="write a page with the graph, and the equations of each step next to its code",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE",
        help="plot the gradient flow from the loss to the input (.png, .svg, .pdf)",
    )


def main(args: argparse.Namespace) -> int:
    """Print the trace of a small example, or write it to files; return 1 if a gradient is wrong."""
    if args.list:
        if args.name is not None:
            raise ValueError(f"trace expected MODEL or --list, got both ({args.name})")
        return show_list(args)
    if args.name is None:
        raise ValueError("trace expected a MODEL, such as VAE, or --list")
    for path in (args.html, args.plot):
        if path is not None:
            check_output(path)
    if args.plot is not None:
        from scratchgen.plots import picture_format

        picture_format(args.plot)
    from scratchgen.trace import trace_case

    trace = trace_case(args.name)
    if args.json:
        print(trace.to_json())
    elif args.html is None and args.plot is None:
        print(trace)
    notes = sys.stderr if args.json else sys.stdout
    if args.html is not None:
        print(f"page: {trace.save_page(args.html)}", file=notes)
    if args.plot is not None:
        from scratchgen.plots import save

        print(f"gradient flow: {save(trace.flow_figure(), args.plot)}", file=notes)
    return 0 if trace.ok else 1


def show_list(args: argparse.Namespace) -> int:
    """Print the models and their examples."""
    from scratchgen.trace.make import cases_by_model, without_training_step

    models = cases_by_model()
    width = max(map(len, models)) + 2
    others = without_training_step()
    lines = [row(model, "; ".join(names), width) for model, names in models.items()]
    values = {"models": models, "no training step": others}
    print_result(args, values, *lines, paragraph(f"no training step: {', '.join(others)}"))
    return 0
