"""The options --data, --labels, --size and others, which all commands that use data have in common."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from scratchgen.data import Dataset

DATA_HELP = (
    "a folder of pictures (one subfolder per class) or of IDX files; an IDX, NPY, NPZ or CSV file; "
    "mnist or fashion-mnist after `scratchgen download`"
)
OTHER_IMAGES = "other images of 28 x 28 with labels 0 to 9 in the place of MNIST, such as fashion-mnist"
OPTIONS = ("data", "test", "labels", "test_labels", "label", "size", "colour", "invert")
OF_PATH = OPTIONS[1:]


def image_size(text: str) -> tuple[int, int]:
    """An argument such as 28x28: height x width."""
    found = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH such as 28x28, got {text!r}")
    return int(found[1]), int(found[2])


def add_data_arguments(
    parser: argparse.ArgumentParser, *, default: str = "the digits of `scratchgen data`", parts: bool = True
) -> None:
    """Add --data and the options of the readers. parts : whether there is a part for testing, too."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", metavar="PATH", help=f"{DATA_HELP} (default: {default})")
    add_reader_arguments(group, parts=parts)


def add_reader_arguments(group: Any, *, parts: bool = True) -> None:
    """Add the options that say how data are read."""
    if parts:
        group.add_argument(
            "--test", metavar="PATH", help="test data (default: every seventh example is held out)"
        )
        group.add_argument("--test-labels", type=Path, metavar="FILE", help="labels of the test data")
    group.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="labels as IDX, NPY or NPZ, one per line of text, or lines FILE,LABEL",
    )
    group.add_argument(
        "--label", metavar="COLUMN",
        help="column of a CSV file with the classes: its name, or its number from 0",
    )
    group.add_argument("--size", type=image_size, metavar="HxW", help="resize the images, such as 28x28")
    group.add_argument("--colour", choices=("grey", "rgb"), default="grey", help="default: grey")
    group.add_argument("--invert", action="store_true", help="invert the intensities of the images")


def reader_options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of load_dataset, from the options."""
    label = args.label
    if label is not None and re.fullmatch("-?[0-9]+", label):
        label = int(label)
    options = {name: getattr(args, name, None) for name in ("labels", "test", "test_labels")}
    return options | {"label": label, "size": args.size, "colour": args.colour, "invert": args.invert}


def data_words(args: argparse.Namespace) -> list[str]:
    """The options of the data as they are typed; none of them without --data."""
    words: list[str] = []
    for name in OPTIONS if args.data is not None else ():
        value = getattr(args, name, None)
        if value in (None, False) or (name == "colour" and value == "grey"):
            continue
        text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [text])]
    return words


def expect_readable(path: str | Path | None, option: str = "--data") -> None:
    """Raise FileNotFoundError for a path of data that does not exist."""
    from scratchgen.data.mnist import PUBLISHED

    if path is not None and str(path) not in PUBLISHED and not Path(path).exists():
        raise FileNotFoundError(f"{option} expected a file or a folder, but {path} does not exist")


def expect_data(args: argparse.Namespace) -> None:
    """Raise ValueError for options of the readers without --data."""
    if args.data is None:
        for name in OF_PATH:
            if getattr(args, name, None) not in (None, False, "grey"):
                raise ValueError(f"--{name.replace('_', '-')} expected --data PATH as well, got none")


def load_data(args: argparse.Namespace, *, ordered: bool = False) -> Dataset:
    """The data that --data names, or the digits. Raises ValueError for other options without --data."""
    from scratchgen import data

    expect_data(args)
    if args.data is None:
        return data.load_digits()
    expect_readable(args.data)
    return data.load_dataset(args.data, ordered=ordered, **reader_options(args))


def load_examples(path: str, args: argparse.Namespace, shape: Any) -> tuple[Any, Any, tuple[str, ...]]:
    """All examples of a path: X (N, D), labels (N,) or None, and the names of the classes.

    shape : (H, W, C) of the images that a model was trained on, which is checked; None for a table.
    """
    from scratchgen.data.datasets import read_examples

    expect_readable(path, "DATA")
    options = reader_options(args)
    if shape is not None and shape[2] == 3:
        options["colour"] = "rgb"
    for name in ("test", "test_labels"):
        del options[name]
    found = read_examples(path, **options)
    got = getattr(found, "shape", None)
    if shape is not None and got != tuple(shape):
        size = "{}x{}".format(*shape)
        got = "a table" if got is None else "{} x {} x {}".format(*got)
        wanted = " x ".join(map(str, shape))
        raise ValueError(f"{path}: the model expects images of {wanted}, got {got}; pass --size {size}")
    return found.x, found.y, found.names


def whole_numbers(source: str, x: np.ndarray) -> np.ndarray:
    """Examples as int64, for a model of symbols. Raises ValueError for numbers that are not whole."""
    found = x.astype("int64")
    if not (found == x).all():
        raise ValueError(f"{source}: the model expects whole numbers, the symbols, got other numbers")
    return found


def load_text_file(path: str | None) -> tuple[str, str]:
    """A text in UTF-8 and its name; by default the one that comes with the package."""
    from scratchgen.data import load_text

    if path is None:
        return load_text(), "Alice's Adventures in Wonderland, from the package"
    expect_readable(path)
    try:
        return Path(path).read_text(encoding="utf-8"), f"{Path(path).name}, read from {path}"
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8, got {error.reason} at {error.start}") from None
