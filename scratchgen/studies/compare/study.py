"""Run the whole comparison and write its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scratchgen import plots
from scratchgen.data.files import write_whole
from scratchgen.data.records import read_json
from scratchgen.data.untrusted import refusing_damage
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
from scratchgen.studies.parts import Parts
from scratchgen.studies.spaces import SPACES

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
) -> Comparison:
    """Train and measure every contender, write compare.json and compare.png, and return the comparison.

    seconds : processor time of training for each model
    full    : all of MNIST instead of the embedded part
    data    : other images of 28 x 28 in the place of MNIST, a path as for load_dataset
    runs    : folder in which measured models are kept until all are measured. If a comparison is killed, the
        next one continues with these models

    If settings differ from the defaults, the files get another name ("compare-full-60-seconds"), so that the
    results of the chapter are not overwritten.

    Raises ValueError unless seconds > 0.
    """
    if not seconds > 0:
        raise ValueError(f"compare expected seconds > 0, got {seconds:g}")
    digits = digits_of(data, "full" if full else "embedded")
    print(digits.source)
    measurements = Measurements(Split.of(digits), trained_digit_classifier(digits))
    name = file_name(seconds, full, data)
    parts = Parts(runs / name, digits=digits.which, seconds=seconds, machine=machine())
    measured = []
    for contender in contenders():
        print(f"{contender.name}: {seconds:g} seconds", flush=True)

        def measure(contender: Contender = contender) -> dict[str, Any]:
            trained = train(contender, measurements.split.train, measurements.split.held_out, seconds)
            return measured_as_json(measurements.measure(contender, trained))

        measured.append(measured_from_json(contender, parts.get(contender.name, measure)))
    comparison = Comparison(
        source=digits.which,
        seconds=seconds,
        machine=machine(),
        models=tuple(measured),
        true={space: measurements.true_digits(space) for space in SPACES},
        baselines={space: measurements.baselines(space) for space in SPACES},
        expected=measurements.expected,
    )
    comparison.save(results / f"{name}.json")
    pictures.mkdir(parents=True, exist_ok=True)
    plots.save(comparison.figure(), pictures / f"{name}.png")
    parts.remove()
    return comparison


def file_name(seconds: float, full: bool, data: str = "") -> str:
    """The name of the result files, without the ending."""
    name = ("compare-full" if full else "compare") + suffix(data)
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
