"""The recipe of a published figure, and how it is run and recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from scratchgen.checks import check_name
from scratchgen.data import Digits
from scratchgen.studies.cards import cards
from scratchgen.studies.curve import Curve, Point
from scratchgen.studies.machine import machine
from scratchgen.studies.own_digits import digits_of, suffix
from scratchgen.studies.reproduce.record import Record
from scratchgen.training.loop import Trainer
from scratchgen.training.runs import expect_place, run_saved

RUNS = Path("runs")


class Measurement(NamedTuple):
    """How a run is measured.

    point  : called every few epochs; returns a dict with "figure" and further values of the curve
    finish : called after training with the points of the curve; returns a dict with
        the Record's `figure`, `ours` and `recipe`, and with `other_figures` and `details` if there are any
    """

    point: Callable[[], Point]
    finish: Callable[[list[Point]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one published figure is reproduced on the full MNIST.

    name    : of the reproduction, of its run in runs/ and of its file in results/
    title   : one line for a list
    unit    : of the figure
    paper   : the published figure, None if there is none;  source : where it was published
    epochs  : length of training;  every : epochs between two points of the curve
    build   : (digits, epochs) -> the run: model, batches, schedule and seed
    measure : (trainer, digits) -> how to measure it
    """

    name: str
    title: str
    unit: str
    paper: float | None
    source: str
    epochs: int
    every: int
    build: Callable[[Digits, int], Trainer]
    measure: Callable[[Trainer, Digits], Measurement]

    def run(
        self, epochs: int | None = None, resume: bool = False, overwrite: bool = False, data: str = ""
    ) -> Record:
        """Train on the 60,000 training digits and measure on all 10,000 test digits.

        epochs : length of training, if not the recipe's; the schedule is stretched to it
        resume : continue the run that was saved in runs/
        overwrite : replace it
        data : other images of 28 x 28 in the place of MNIST, a path as for load_dataset. The published figure
            is of MNIST, so the record has none

        Raises FileNotFoundError if there is no run to resume, ValueError if there is one but it is to be
        neither resumed nor overwritten.
        """
        epochs = epochs or self.epochs
        path = self.path(data)
        config: dict[str, Any] = {"run": self.name, "epochs": epochs}
        config |= {"data": suffix(data).removeprefix("-")} if data else {}
        expect_place(path, resume=resume, config=config, overwrite=overwrite)
        digits = digits_of(data)
        print(digits.source)
        trainer, measurement, curve = self.prepare(digits, epochs)
        note = getattr(trainer.model, "data_note", "")
        if note:
            print(note)
        history = run_saved(
            trainer, path, resume=resume, config=config, every=self.every, overwrite=overwrite
        )
        points = curve.points()
        record = Record(
            name=self.name,
            figure=self.title,
            unit=self.unit,
            paper=None if data else self.paper,
            source="" if data else self.source,
            ours=points[-1]["figure"],
            seconds=history.seconds,
            machine=machine(),
            recipe="",
            curve=points,
        )
        record = replace(record, **measurement.finish(points))
        return replace(record, figure=f"{record.figure}; on {digits.which}") if data else record

    def prepare(self, digits: Digits, epochs: int) -> tuple[Trainer, Measurement, Curve]:
        """The run, its measurement, and its curve, which is one of the run's callbacks."""
        trainer = self.build(digits, epochs)
        measurement = self.measure(trainer, digits)
        curve = Curve(measurement.point, self.every)
        trainer.callbacks.append(curve)
        return trainer, measurement, curve

    def path(self, data: str = "") -> Path:
        """The file of the run; data : as for `run`."""
        return RUNS / f"reproduce-{self.name}{suffix(data)}.safetensors"


def recipe_names() -> tuple[str, ...]:
    """The names of all reproductions, in the order of the cards."""
    return tuple(name for card in cards().values() for name in card.reproductions)


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises ValueError, with all names, if there is none."""
    check_name("reproduction", name, recipe_names())
    found: Recipe = import_module(f"scratchgen.studies.reproduce.{name}").RECIPE
    return found


def reproduce(
    name: str,
    *,
    epochs: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    out: Path = Path("results"),
    data: str = "",
) -> tuple[Record, Path]:
    """Run the reproduction of that name, save its record, and return the record and its file.

    epochs : length of training, if not the recipe's. The file name then contains it
        ("autoencoder-55-epochs.json")
    resume : continue the run that an interruption left in runs/
    overwrite : replace a run in runs/
    data : other images of 28 x 28 in the place of MNIST; the file name then contains their name

    Raises ValueError for an unknown name, and what Recipe.run raises.
    """
    record = recipe(name).run(epochs=epochs, resume=resume, overwrite=overwrite, data=data)
    length = "" if epochs is None else f"-{epochs}-epochs"
    return record, record.save(out, suffix=suffix(data) + length)
