"""`scratchgen score`: the log-likelihood, or the predicted class, of each example."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchgen.cli.common import ARRAYS, add_json_argument, check_output, expect_format, print_result
from scratchgen.cli.examples import add_example_arguments, examples_for, labels_for
from scratchgen.cli.run_folder import Run, open_run
from scratchgen.cli.sources import load_text_file

if TYPE_CHECKING:
    import numpy as np

HELP = "write the log-likelihood or the predicted class of examples"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_example_arguments(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file for one row per example: .csv or .npz (or .npy)"
    )
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print the mean score, and write the scores to --out."""
    from scratchgen.cli.output import write_table

    if args.out is not None:
        expect_format(args.out, ARRAYS)
        check_output(args.out)
    run = open_run(args.run_folder)
    if run.of_text:
        return score_text(run, args)
    if run.model.likelihood is None and not run.has("predict_proba"):
        hint = "; `scratchgen reconstruct` gives its squared error" if run.has("reconstruct") else ""
        raise ValueError(f"score needs a model with a likelihood or classes; {run.name} has none{hint}")
    x, y, source = examples_for(run, args)
    table, values, lines = {}, {"model": run.name, "data": source, "n": len(x)}, []
    if run.model.likelihood is not None:
        x, space = prepared(run, x)
        nats = run.model.score_samples(x, **labels_for(run, "score_samples", y))
        table["log_prob"] = nats
        values |= {"log_prob": float(nats.mean()), "likelihood": run.model.likelihood, "space": space}
        kind = run.model.likelihood + (f"; {space}" if space else "")
        lines.append(f"mean log p(x): {nats.mean():.4f} nats per example ({kind})")
    if run.has("predict_proba"):
        found, more, text = predictions(run, x, y)
        table, values, lines = table | found, values | more, lines + text
    if y is not None:
        table["label"] = y
    if args.out is not None:
        write_table(args.out, table)
        lines.append(f"{len(x):,} rows with {', '.join(table)} are in {args.out}")
    print_result(args, values | {"file": args.out}, *lines)
    return 0


def prepared(run: Run, x: np.ndarray) -> tuple[np.ndarray, str]:
    """The examples in the form that the likelihood of the run describes, and its name."""
    from scratchgen.studies.spaces import SPACES

    for space in SPACES:
        if space.name == run.config.get("space"):
            return space.prepare(x), space.name
    return x, ""


def predictions(
    run: Run, x: np.ndarray, y: np.ndarray | None
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Columns, values and lines of a classifier. Without probabilities, only the classes."""
    import numpy as np

    predicted = run.model.predict(x)
    columns: dict[str, Any] = {"predicted": predicted}
    with suppress(TypeError):       # a linear SVM has no probabilities
        columns["probability"] = run.model.predict_proba(x).max(axis=1)
    if run.names:
        columns["class"] = np.array(run.names)[predicted]
    if y is None:
        return columns, {}, [f"predicted the classes of {len(x):,} examples"]
    accuracy = float((predicted == y).mean())
    return columns, {"accuracy": accuracy}, [f"accuracy: {100 * accuracy:.2f} % of {len(x):,}"]


def score_text(run: Run, args: argparse.Namespace) -> int:
    """The mean log-likelihood of the characters of a text."""
    if args.out is not None:
        raise ValueError("score of a text is one number; leave out --out, or pass --json")
    text, source = load_text_file(args.data)
    nats = float(run.model.score(text))
    values = {"model": run.name, "data": source, "n": len(text), "log_prob": nats}
    print_result(args, values, f"log p per character: {nats:.4f} nats (mean of {len(text):,})")
    return 0
