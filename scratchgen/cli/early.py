"""Checks of the settings of `scratchgen train` before any data are read."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from scratchgen.models.arguments import count, expect_betas, finite, learning_rate

if TYPE_CHECKING:
    from scratchgen.cli.catalogue import Entry, Form

DIGITS = (28, 28, 1)
# Data that a model may be given: (H, W, C) of images, or the number of columns of a table.
OTHERS: tuple[tuple[int, int, int] | int, ...] = (13, 64, DIGITS, (32, 32, 3), (16, 16, 1))
WHO = "train"


def expect_run_settings(run: Mapping[str, Any], option: Mapping[str, str]) -> None:
    """Raise ValueError or TypeError for settings of `fit` that are wrong for all data.

    option : for messages, the option that gave each setting, such as --lr; by default --set KEY
    """
    for key, value in run.items():
        name = option.get(key, f"--set {key}")
        if value is None:
            continue
        if key in ("batch_size", "iterations"):
            count(WHO, name, value)
        elif key in ("lr", "discriminator_lr"):
            expect_rate(name, value)
        elif key in ("clip", "clip_value", "smoothing"):
            finite(WHO, name, value, above=0)
        elif key == "tolerance":
            finite(WHO, name, value, least=0)
        elif key == "betas":
            expect_betas(WHO, value)
        elif key == "optimizer":
            expect_optimizer(name, value)
        elif key == "augment" and isinstance(value, type):
            wanted = f"{name} to have its arguments, such as Jitter((28, 28, 1))"
            raise TypeError(f"{WHO} expected {wanted}, got {value.__name__}")
    if run.get("clip") is not None and run.get("clip_value") is not None:
        raise ValueError(
            f"{WHO} expected --set clip, for the norm, or --set clip_value, for each number, got both"
        )


def expect_rate(name: str, value: Any) -> None:
    """Raise ValueError for a learning rate that is neither a number of at least 0 nor a schedule."""
    if isinstance(value, int | float):
        finite(WHO, name, value, least=0, hint=", such as 0.001")
    else:
        learning_rate(WHO, name, value)


def expect_optimizer(name: str, make: Any) -> None:
    """Raise TypeError unless `make` is the class of an optimiser, or a partial of one with valid settings."""
    from scratchgen.layers import Linear
    from scratchgen.training.optimisers import Optimizer

    cls = getattr(make, "func", make)
    if not (isinstance(cls, type) and issubclass(cls, Optimizer)):
        shown = getattr(cls, "__name__", repr(cls))
        raise TypeError(
            f"{WHO} expected {name} to be an optimiser, such as AdamW or AdamW(weight_decay=0.1), got {shown}"
        )
    given = getattr(make, "keywords", {})
    if getattr(make, "args", ()) or "lr" in given:
        raise TypeError(
            f"{WHO} expected {name} with settings by their names and without lr, such as "
            "AdamW(weight_decay=0.1), because the learning rate is that of --lr"
        )
    make(Linear(2, 2, rng=0).parameters(), 0.1)     # raises the optimiser's error for wrong settings


def expect_constructor_settings(
    args: argparse.Namespace, entry: Entry, form: Form, build: Mapping[str, Any]
) -> None:
    """Build the model, and raise the constructor's error for settings that are wrong for all data.

    Without --data, the images are those of MNIST. Otherwise the data are not known yet, so the model is built
    for several kinds of data, and an error is raised only if it is the same for all of them.
    """
    if not build:
        return
    known = [DIGITS] if args.data is None else list(OTHERS)
    if args.size is not None:
        known = [(*args.size, 3 if args.colour == "rgb" else 1)]
    errors: list[Exception] = []
    for settings in kinds(entry, form, known):
        try:
            form.build(**{**settings, **build})
            return
        except (TypeError, ValueError) as error:
            errors.append(error)
    if len({str(error) for error in errors}) == 1:
        raise errors[0]


def kinds(entry: Entry, form: Form, known: list[Any]) -> Iterator[dict[str, Any]]:
    """The arguments of the constructor that follow from the data, for each kind of data."""
    rng = {"rng": 0} if "rng" in form.own else {}
    if entry.of_text:
        from scratchgen.data import Alphabet

        yield {"alphabet": Alphabet("ab"), **rng}
        return
    for shape in known:
        is_table = isinstance(shape, int)
        if is_table and "shape" in form.own:
            continue
        settings: dict[str, Any] = {} if is_table else dict(entry.card.settings.get(form.name, {}))
        if "features" in form.own:
            settings["features"] = shape if is_table else shape[0] * shape[1] * shape[2]
        if "shape" in form.own:
            settings["shape"] = shape
        classes = form.settings.get("classes")
        if classes is not None and classes.default != 0:
            settings["classes"] = 10
        yield settings | rng
