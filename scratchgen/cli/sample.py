"""`scratchgen sample`: draw new examples from a trained model."""

from __future__ import annotations

import argparse
import inspect
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchgen.cli.common import (
    ARRAYS,
    add_json_argument,
    check_output,
    expect_format,
    print_result,
    whole_number,
)
from scratchgen.cli.run_folder import Run, add_run_argument, expect_method, model_path, open_run
from scratchgen.cli.settings import parse_setting, split_settings

if TYPE_CHECKING:
    import numpy as np

HELP = "draw new images, rows or texts from a trained model"
NOT_SETTINGS = ("self", "n", "rng", "y", "guide")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_argument(parser)
    parser.add_argument("--n", type=whole_number(1), default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="a .png of images, an array in .npy, .npz or .csv, or a .txt of texts (default: samples.png or "
        "samples.csv in the folder of the run; texts are printed)",
    )
    parser.add_argument("--class", dest="label", metavar="K", help="the class, by number or name")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="an argument of the model's sample(), such as steps=50 or prompt=Alice",
    )
    parser.add_argument("--columns", type=whole_number(1), metavar="C", help="images in a row of the .png")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="S", help="seed (default: 0)")
    add_json_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Draw the examples and write them to a file."""
    run = open_run(args.run_folder)
    hint = ""
    if run.has("reconstruct"):
        hint = "; scratchgen reconstruct shows what it has learnt"
    expect_method(run, "sample", "sample", hint)
    formats = (".txt",) if run.of_text else (".png", *ARRAYS) if run.shape is not None else ARRAYS
    out = args.out
    if out is None and not run.of_text:
        out = model_path(args.run_folder).parent / ("samples.png" if run.shape is not None else "samples.csv")
    if out is not None:
        expect_format(out, formats)
        check_output(out)
    settings = parse_for(run, args.settings)
    given = labels_for(run, args.n, args.label)
    samples = run.model.sample(args.n, rng=args.seed, **settings, **given)
    values: dict[str, Any] = {"model": run.name, "n": args.n, "seed": args.seed, "file": out}
    if run.of_text:
        texts = [run.model.alphabet.decode(row) for row in samples]
        if out is not None:
            from scratchgen.data.files import write_whole

            out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(out, "\n\n".join(texts) + "\n")
        lines = [f"{args.n} texts are in {out}"] if out is not None else ["\n\n".join(texts)]
        print_result(args, values | {"texts": texts}, *lines)
        return 0
    write_samples(out, samples, run, given.get("y"), args.columns)
    print_result(args, values, f"{args.n} samples are in {out}")
    return 0


def parse_for(run: Run, words: list[str]) -> dict[str, Any]:
    """The settings of the model's sample(). Raises ValueError for an unknown name and a wrong type."""
    from scratchgen.checks import check_name

    parameters = inspect.signature(run.model.sample).parameters
    known = {name: p for name, p in parameters.items() if name not in NOT_SETTINGS}
    settings: dict[str, Any] = {}
    if "length" in known and "features" in run.config:      # a model of sequences
        settings["length"] = run.config["features"]
    for key, text in split_settings(words):
        check_name(f"setting of {run.name}.sample", key, known)
        settings[key] = parse_setting(key, text, known[key])
    return settings


def labels_for(run: Run, n: int, label: str | None) -> dict[str, np.ndarray]:
    """The labels of the samples: the class that was asked for, or all classes in turn if they are needed."""
    import numpy as np

    takes_labels = "y" in inspect.signature(run.model.sample).parameters
    if label is None:
        return {"y": np.arange(n) % run.classes} if takes_labels and run.classes else {}
    if not takes_labels or not (run.classes or hasattr(run.model, "predict_proba")):
        raise ValueError(f"--class expected a model with classes; {run.name} of this run has none")
    if label in run.names:
        return {"y": np.full(n, run.names.index(label))}
    if not (label.isascii() and label.isdigit()):
        wanted = " or ".join(["a number", *([f"one of {', '.join(run.names)}"] if run.names else [])])
        raise ValueError(f"--class expected {wanted}, got {label!r}")
    return {"y": np.full(n, int(label))}


def write_samples(
    out: Path, samples: np.ndarray, run: Run, y: np.ndarray | None, columns: int | None
) -> None:
    """Write samples (N, D) as a grid of images or as an array."""
    from scratchgen.cli.output import write_grid, write_table

    shape = run.shape or ()
    if out.suffix.lower() == ".png":
        write_grid(out, samples.reshape(-1, *shape), columns or math.ceil(math.sqrt(len(samples))))
        return
    names = run.config.get("columns", ())
    if out.suffix.lower() == ".csv" and len(names) == samples.shape[1]:
        table = dict(zip(names, samples.T, strict=True))
    else:
        images = bool(shape) and out.suffix.lower() != ".csv"
        table = {"x": samples.reshape(-1, *shape) if images else samples}
    if y is not None and out.suffix.lower() != ".npy":
        table["y"] = y
    write_table(out, table)
