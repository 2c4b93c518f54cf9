"""Run the whole comparison and write its files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from scratchgen import plots
from scratchgen.data import Digits
from scratchgen.data.files import write_whole
from scratchgen.data.records import read_json
from scratchgen.data.untrusted import refusing_damage
from scratchgen.metrics.samples import FeatureClassifier
from scratchgen.studies.cards import cards
from scratchgen.studies.chapters import fill, save_with_few_colours
from scratchgen.studies.compare.contender import Contender
from scratchgen.studies.compare.measures import (
    Measurements,
    Split,
    measured_as_json,
    measured_from_json,
)
from scratchgen.studies.compare.report import Comparison
from scratchgen.studies.compare.train import train
from scratchgen.studies.digit_classifier import trained_digit_classifier
from scratchgen.studies.machine import machine
from scratchgen.studies.own_digits import digits_of, suffix
from scratchgen.studies.parts import Cell, Parts
from scratchgen.studies.source import shared_digits, shared_metrics
from scratchgen.studies.spaces import SPACES
from scratchgen.studies.workers import BuiltOnce, Workers

SECONDS = 60.0
COMMAND = "scratchgen study compare --write-chapter"
CHAPTER, FIGURE = Path("docs/comparison.md"), Path("docs/figures/compare.png")


def contenders() -> tuple[Contender, ...]:
    """The models of the comparison, from the cards of all families."""
    return tuple(contender for card in cards().values() for contender in card.contenders)


def compare(
    seconds: float = SECONDS,
    full: bool = False,
    results: Path = Path("results"),
    pictures: Path = Path("gallery"),
    runs: Path = Path("runs"),
    data: str = "",
    epochs: int | None = None,
    workers: Workers = Workers(),  # noqa: B008   (frozen)
) -> Comparison:
    """Train and measure every contender, write compare.json and compare.png, and return the comparison.

    seconds : processor time of training for each model
    full    : all of MNIST instead of the embedded part
    data    : other images of 28 x 28 in the place of MNIST, a path as for load_dataset
    runs    : folder in which measured models are kept until all are measured. If a comparison is killed, the
        next one continues with these models
    epochs  : length of training, instead of `seconds`. The results then depend neither on the speed of the
        processor nor on the workers
    workers : where the models are trained

    If settings differ from the defaults, the files get another name ("compare-full-60-seconds"), so that the
    results of the chapter are not overwritten.

    Raises ValueError unless seconds > 0.
    """
    if not seconds > 0:
        raise ValueError(f"compare expected seconds > 0, got {seconds:g}")
    size = "full" if full else "embedded"
    digits = shared_digits(digits_of(data, size), data, size)
    print(digits.value.source)
    metrics = shared_metrics(_measurements, digits, trained_digit_classifier(digits.value))
    measurements: Measurements = metrics.value
    name = file_name(seconds, full, data, epochs)
    length = {"seconds": seconds} if epochs is None else {"epochs": epochs}
    parts = Parts(runs / name, digits=digits.value.which, machine=machine(), **length)
    names = [contender.name for contender in contenders()]
    cells = [Cell(of, partial(_measured, of, metrics, seconds, epochs)) for of in names]

    def report(name: str, value: dict[str, Any], known: dict[str, Any]) -> None:
        print(f"[{len(known)}/{len(cells)}] {name}: {value['epochs']} epochs", flush=True)

    found = parts.measured(cells, workers, report)
    comparison = Comparison(
        source=digits.value.which,
        seconds=seconds,
        epochs=epochs,
        machine=machine(),
        models=tuple(measured_from_json(of, found[of.name]) for of in contenders()),
        true={space: measurements.true_digits(space) for space in SPACES},
        baselines={space: measurements.baselines(space) for space in SPACES},
        expected=measurements.expected,
    )
    comparison.save(results / f"{name}.json")
    pictures.mkdir(parents=True, exist_ok=True)
    plots.save(comparison.figure(), pictures / f"{name}.png")
    parts.remove()
    return comparison


def _measurements(digits: Digits, classifier: FeatureClassifier) -> Measurements:
    return Measurements(Split.of(digits), classifier)


def _measured(name: str, metrics: BuiltOnce, seconds: float, epochs: int | None) -> dict[str, Any]:
    (contender,) = (contender for contender in contenders() if contender.name == name)
    measurements: Measurements = metrics.value
    trained = train(contender, measurements.split.train, measurements.split.held_out, seconds, epochs)
    return measured_as_json(measurements.measure(contender, trained))


def file_name(seconds: float, full: bool, data: str = "", epochs: int | None = None) -> str:
    """The name of the result files, without the ending."""
    name = ("compare-full" if full else "compare") + suffix(data)
    if epochs is not None:
        return f"{name}-{epochs}-epochs"
    return name if seconds == SECONDS else f"{name}-{seconds:g}-seconds"


def write_chapter(results: Path, picture: Path, chapter: Path = CHAPTER, figure: Path = FIGURE) -> None:
    """Put the tables of compare.json into the chapter, and copy its picture to the figure of the chapter.

    The figure is not changed if there is no new picture.

    Raises ValueError if the results have no tables or
    the chapter lacks a mark, OSError for a missing file.
    """
    with refusing_damage(str(results), f"the results of `{COMMAND}`"):
        tables = read_json(results).get("tables") or {}
        joined = {name: "\n".join(lines) for name, lines in tables.items()}
    if not joined:
        raise ValueError(f"{results} has no tables; run `scratchgen study compare` again")
    text = fill(chapter.read_text(encoding="utf-8"), joined, COMMAND)
    if picture.is_file():
        save_with_few_colours(picture, figure)
    write_whole(chapter, text)
