"""The work of `scratchgen train`: read the data, build the model, train it, save it, and measure it."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.cli.settings import EPOCHS
from scratchgen.cli.sources import load_data, load_text_file, whole_numbers
from scratchgen.cli.train import given_settings
from scratchgen.studies.cards.card import Figure
from scratchgen.studies.spaces import NUMBERS
from scratchgen.training import TimeLimit
from scratchgen.training.loop import is_result
from scratchgen.training.model_files import save_model
from scratchgen.training.runs import expect_place, run_saved

if TYPE_CHECKING:
    from scratchgen.cli.catalogue import Entry, Form

NEEDS_LABELS = "put the pictures of each class into its own folder, or pass --labels FILE or --label COLUMN"


class Job:
    """One call of the command: a model, its data and its settings."""

    def __init__(
        self, args: argparse.Namespace, entry: Entry, form: Form, build: dict[str, Any], run: dict[str, Any]
    ):
        self.args, self.entry, self.form, self.run = args, entry, form, run
        self.rng = np.random.default_rng(args.seed)
        self.load()
        self.settings = {**self.of_card(), **self.of_data(build), **build}
        generator = {"rng": self.rng} if "rng" in form.own else {}
        self.model = form.build(**self.settings, **generator)

    def load(self) -> None:
        """Read the data."""
        self.data = load_data(self.args, ordered=not self.entry.by_epochs and "states" in self.form.own)
        self.source, self.which = self.data.source, self.data.which
        if "symbols" in self.form.own:
            x_train, x_test = (whole_numbers(self.source, x) for x in (self.data.x_train, self.data.x_test))
            self.data = replace(self.data, x_train=x_train, x_test=x_test)

    def of_card(self) -> dict[str, Any]:
        """The settings for images."""
        return {} if self.data.shape is None else dict(self.entry.card.settings.get(self.form.name, {}))

    def of_data(self, build: dict[str, Any]) -> dict[str, Any]:
        """The settings that follow from the data: features, shape and classes."""
        found: dict[str, Any] = {}
        if "features" in self.form.own and "features" not in build:
            found["features"] = self.data.x_train.shape[1]
        if "shape" in self.form.own and "shape" not in build:
            if self.data.shape is None:
                raise ValueError(f"{self.entry.name} ({self.form.name}) needs images, got a table")
            found["shape"] = self.data.shape
        classes = self.form.settings.get("classes")
        if classes is not None and classes.default != 0 and "classes" not in build:
            found["classes"] = 1 + max(int(y.max()) for y in self.labels())
            least = min(int(y.min()) for y in self.labels())
            if least > 0:
                logging.getLogger("scratchgen").warning(
                    "the labels go from %d to %d, so no example is of class 0; number the classes from 0, or "
                    "write names instead of numbers", least, found["classes"] - 1,
                )
        return found

    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """The labels for training and testing. Raises ValueError if there are none."""
        y_train, y_test = self.data.y_train, self.data.y_test
        if y_train is None or y_test is None:
            raise ValueError(f"{self.entry.name} needs labels, and the data have none; {NEEDS_LABELS}")
        return y_train, y_test

    def examples(self) -> tuple[Any, ...]:
        """The arguments X and y of fit."""
        x = self.data.x_train
        if self.entry.is_classifier or bool(getattr(self.model, "classes", 0)):
            return x, self.labels()[0]
        return (x,)

    def config(self) -> dict[str, Any]:
        """What is saved with the run: strings, numbers and lists."""
        given = {f"set.{key}": text for key, text in given_settings(self.args)}
        return {
            "model": self.entry.model.__name__, "form": self.form.name, "seed": self.args.seed,
            "data": self.which, "space": self.space().name, **self.about_data(), **given,
        }  # fmt: skip

    def about_data(self) -> dict[str, Any]:
        """The shape of the images, the classes and the columns."""
        shape = self.data.shape
        return {
            "features": self.data.x_train.shape[1], "whole_numbers": self.data.x_train.dtype.kind == "i",
            "shape": None if shape is None else list(shape), "names": list(self.data.names),
            "columns": list(self.data.columns),
        }  # fmt: skip

    def space(self) -> Any:
        """The form of the data that the figure describes."""
        return NUMBERS if self.data.shape is None else self.entry.card.space

    def check_place(self, path: Path) -> None:
        """Raise ValueError unless the run can be saved in `path`, or continues the one there."""
        args = self.args
        expect_place(path, resume=args.resume, config=self.config(), overwrite=args.overwrite)

    def train(self, path: Path) -> dict[str, float]:
        """Train, save the run in `path`, and return the last row of the history."""
        args, config = self.args, self.config()
        if not self.entry.by_epochs:
            self.model.fit(*self.examples(), **self.run)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_model(path, self.model, config)
            return {}
        trainer = self.model.trainer(
            *self.examples(), epochs=args.epochs or EPOCHS, rng=self.rng, **self.run,
            callbacks=[TimeLimit(args.budget)] if args.budget else [],
        )  # fmt: skip
        history = run_saved(trainer, path, resume=args.resume, config=config, overwrite=args.overwrite)
        return {
            name: column[-1] for name, column in history.epochs.items()
            if is_result(name)
        }  # fmt: skip

    def figure(self) -> Figure | None:
        """The result on the test data."""
        return self.entry.card.figure(self.model, self.data, self.space())


class TextJob(Job):
    """A model of characters."""

    def load(self) -> None:
        from scratchgen.data import Alphabet, split_text

        for name in ("test", "labels", "test_labels", "label", "size"):
            if getattr(self.args, name) is not None:
                option = name.replace("_", "-")
                raise ValueError(f"{self.entry.name} is trained on a text and has no --{option}")
        text, self.source = load_text_file(self.args.data)
        self.which = self.source.partition(", read from")[0]
        self.alphabet = Alphabet(text)
        self.text, self.test = split_text(text)

    def of_card(self) -> dict[str, Any]:
        return {}

    def of_data(self, build: dict[str, Any]) -> dict[str, Any]:
        return {"alphabet": self.alphabet}

    def examples(self) -> tuple[Any, ...]:
        return (self.text,)

    def about_data(self) -> dict[str, Any]:
        return {}

    def space(self) -> Any:
        return NUMBERS

    def figure(self) -> Figure | None:
        nats = float(self.model.score(self.test))
        return Figure("log_prob", nats, f"log p per character of the last tenth of the text: {nats:.3f} nats")
