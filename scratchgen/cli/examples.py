"""The examples that reconstruct, encode and score work on, in the form that a trained model expects."""

from __future__ import annotations

import argparse
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchgen.cli.run_folder import Run, add_run_argument
from scratchgen.cli.sources import DATA_HELP, add_reader_arguments, load_examples, whole_numbers

if TYPE_CHECKING:
    import numpy as np


class Examples(NamedTuple):
    """X (N, D), labels (N,) or None, and where they come from."""

    x: np.ndarray
    y: np.ndarray | None
    source: str


def add_example_arguments(parser: argparse.ArgumentParser) -> None:
    """Add RUN, DATA and the options of the readers."""
    add_run_argument(parser)
    parser.add_argument(
        "data", nargs="?", metavar="DATA",
        help=f"{DATA_HELP} (default: the test digits of `scratchgen data`)",
    )
    add_reader_arguments(parser.add_argument_group("data"), parts=False)


def examples_for(run: Run, args: argparse.Namespace) -> Examples:
    """The examples that the options name, with the labels in the order of the run.

    Raises ValueError if they have another shape than those that the model was trained on, or classes that the
    run does not have.
    """
    import numpy as np

    if args.data is None:
        from scratchgen.data import load_digits

        if run.shape != (28, 28, 1):
            raise ValueError("expected DATA, because the model was not trained on grey images of 28 x 28")
        digits = load_digits()
        return Examples(digits.x_test, digits.y_test, f"test digits of {digits.which}")
    x, y, names = load_examples(args.data, args, run.shape)
    if run.config.get("whole_numbers"):
        x = whole_numbers(args.data, x)
    if y is not None and names and run.names and names != run.names:
        unknown = [name for name in names if name not in run.names]
        if unknown:
            raise ValueError(f"{args.data}: expected the classes {', '.join(run.names)}, got {unknown[0]}")
        y = np.array([run.names.index(name) for name in names])[y]
    return Examples(x, y, str(args.data))


def labels_for(run: Run, method: str, y: np.ndarray | None) -> dict[str, Any]:
    """The argument y of a method of a model with classes. Raises ValueError if the data have no labels."""
    if not run.classes or "y" not in inspect.signature(getattr(run.model, method)).parameters:
        return {}
    if y is None:
        raise ValueError(f"{run.name} needs the class of each example; pass --labels FILE or --label COLUMN")
    return {"y": y}
